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
from hopline.http.asgi import host
from hopline.http.asgi_cycle import ASGIError
from hopline.http.asgi_lifespan import LifespanFailed
from hopline.http.batch import BatchHandler, BatchStats
from hopline.http.child import Stop
from hopline.http.engine import run_worker
from hopline.http.errors import HTTPError, HTTPServerError, ProtocolError, RouteError
from hopline.http.events import Event, last_event_id, sse
from hopline.http.figures import ConnectionStats, RouteStats
from hopline.http.forwarded import Client, client_of, forwarded
from hopline.http.head import ConnectionInfo, Head
from hopline.http.message import Headers, Request, Response
from hopline.http.middleware import (
    access_log,
    basic_auth,
    bearer_auth,
    compression,
    cors,
    request_id,
    security_headers,
    then,
    timeout,
)
from hopline.http.protocol import Handler, HTTPStats, Limits, Middleware, RawHandler
from hopline.http.serve import Companion, serve
from hopline.http.sockets import ListenError
from hopline.http.static import StaticFiles, static
from hopline.http.testclient import SyncTestClient, TestClient, TestResponse, TestStream
from hopline.http.tls import TLS, TLSError
from hopline.http.trust import TrustedProxies

__all__ = [
    "TLS",
    "ASGIError",
    "App",
    "BatchHandler",
    "BatchStats",
    "Client",
    "Companion",
    "ConnectionInfo",
    "ConnectionStats",
    "Event",
    "HTTPError",
    "HTTPServerError",
    "HTTPStats",
    "Handler",
    "Head",
    "Headers",
    "InvalidResponse",
    "LifespanFailed",
    "Limits",
    "ListenError",
    "Middleware",
    "ProtocolError",
    "RawHandler",
    "Request",
    "Response",
    "RouteError",
    "RouteStats",
    "StaticFiles",
    "Stop",
    "SyncTestClient",
    "TLSError",
    "TestClient",
    "TestResponse",
    "TestStream",
    "TrustedProxies",
    "access_log",
    "basic_auth",
    "bearer_auth",
    "client_of",
    "compression",
    "cors",
    "forwarded",
    "host",
    "last_event_id",
    "request_id",
    "run_worker",
    "security_headers",
    "serve",
    "sse",
    "static",
    "status_line",
    "then",
    "timeout",
]
