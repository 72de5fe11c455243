"""The application behind the rule table. benchmarks/peers/http_asgi.py is the same one for ASGI servers."""

from hopline.http import App, Limits, Request, Response

__all__ = ["INJECTED", "make_app"]

INJECTED = {
    "CRLF-in-a-value": ("x", "a\r\nevil: b"),
    "LF-in-a-value": ("x", "a\nevil: b"),
    "CR-in-a-value": ("x", "a\revil: b"),
    "NUL-in-a-value": ("x", "a\0b"),
    "CRLF-in-a-name": ("x\r\nevil", "b"),
    "space-in-a-name": ("an evil", "b"),
    "LF-in-a-cookie": ("set-cookie", "a=b\nevil: c"),
}


def make_app(limits: Limits | None = None) -> App:
    """Echoes, and answers in the ways that a server must hold together."""
    app = App(limits)
    app.get("/probe")(lambda request: Response(b"probe"))
    app.get("/204")(lambda request: Response(b"", 204))
    app.get("/304")(lambda request: Response(b"", 304))
    app.get("/304/body")(lambda request: Response(b"a body", 304))
    app.get("/inject/{name}")(lambda request: Response(b"", headers=[INJECTED[request.params["name"]]]))
    app.post("/early")(lambda request: Response(b"", 403))

    @app.post("/early/stream", stream=True)
    def early(request: Request) -> Response:
        return Response(b"", 403)

    @app.get("/{rest:path}")
    @app.get("/")
    @app.post("/")
    def echo(request: Request) -> Response:
        host = request.headers.get("host", "")
        return Response(b"%b for %b" % (f"{request.method} {request.path} ".encode() + request.body, host.encode()))

    return app
