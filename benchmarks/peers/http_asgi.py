"""tests/http/echo.py as an ASGI application, for the servers beside ours."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.http.echo import INJECTED

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Lifespan, and every route of the rule table."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    path: str = scope["path"]
    if scope["method"] == "CONNECT":
        await _answer(send, 405, b"")
    elif path == "/probe":
        await _answer(send, 200, b"probe")
    elif path == "/204":
        await _answer(send, 204, b"", length=False)
    elif path.startswith("/304"):
        await _answer(send, 304, b"a body" if path.endswith("body") else b"", length=False)
    elif path == "/early":
        await _answer(send, 403, b"")
    elif path.startswith("/inject/"):
        name, value = INJECTED[path[8:]]
        await _answer(send, 200, b"", [(name.encode(), value.encode())])
    else:
        await _echo(scope, receive, send)


async def _lifespan(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def _echo(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        more = message.get("more_body", False)
    host = next((value for name, value in scope["headers"] if name == b"host"), b"")
    about = f"{scope['method']} {scope['path']} ".encode()
    await _answer(send, 204 if scope["method"] == "OPTIONS" else 200, about + body + b" for " + host)


async def _answer(
    send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]] | None = None, length: bool = True
) -> None:
    fields = list(headers or [])
    if status == 204:
        body = b""
    elif length:
        fields.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})
