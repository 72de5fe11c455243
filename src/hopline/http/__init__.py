"""An HTTP server: strict, bounded, and fast because it does little for each request.

Example::

    from hopline.http import App, Request, Response, serve

    def make_app() -> App:
        app = App()

        @app.get("/hello/{name}")
        def hello(request: Request) -> Response:
            return Response(f"hello {request.params['name']}")

        return app

    if __name__ == "__main__":
        raise SystemExit(serve(make_app, port=8080, workers=2))
"""

from hopline.http.answer import InvalidResponse, status_line
from hopline.http.app import App
from hopline.http.child import Stop
from hopline.http.engine import run_worker
from hopline.http.errors import HTTPError, HTTPServerError, ProtocolError, RouteError
from hopline.http.head import ConnectionInfo, Head
from hopline.http.message import Headers, Request, Response
from hopline.http.protocol import Handler, HTTPStats, Limits, Middleware, RawHandler
from hopline.http.serve import Companion, serve
from hopline.http.sockets import ListenError

__all__ = [
    "App",
    "Companion",
    "ConnectionInfo",
    "HTTPError",
    "HTTPServerError",
    "HTTPStats",
    "Handler",
    "Head",
    "Headers",
    "InvalidResponse",
    "Limits",
    "ListenError",
    "Middleware",
    "ProtocolError",
    "RawHandler",
    "Request",
    "Response",
    "RouteError",
    "Stop",
    "run_worker",
    "serve",
    "status_line",
]
