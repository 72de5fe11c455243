"""An App as an ASGI 3 application, so that uvicorn, granian and others can run it: `uvicorn module:app`.

A call becomes the head of a request, which goes the way it would go here: raw routes, middleware, handlers, error
pages and limits of bodies are the App's own. The limits of connections are the other server's to keep.
"""

import asyncio
import logging
from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hopline.http.answer import InvalidResponse, encode
from hopline.http.asgi_host import ASGIApp, Message, Receive, Scope, Send
from hopline.http.errors import HTTPError
from hopline.http.head import ConnectionInfo, Head
from hopline.http.message import Request, Response
from hopline.http.streams import BodyStream, ClientGone

if TYPE_CHECKING:
    from hopline.http.app import App

__all__ = ["AsgiFace", "host"]

log = logging.getLogger("hopline.http")


def host(application: ASGIApp) -> "App":
    """An App that is nothing but this ASGI application: `serve(lambda: host(application))`."""
    from hopline.http.app import App

    app = App()
    app.mount("", application)
    return app


class AsgiFace:
    """What an App does when a server calls it by ASGI. Lives on that server's loop."""

    def __init__(self, app: "App") -> None:
        self._app = app
        self._dispatcher = app.dispatcher()
        self._raw_handlers = tuple(app.raw_handlers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})  # before it was accepted: answered with 403
        else:
            raise ValueError(f"scope {scope['type']!r} is not known; this App answers http")

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            kind = (await receive())["type"]
            try:
                if kind == "lifespan.startup":
                    for hook in self._app.startup:
                        await hook()
                else:
                    await self._shut_down()
            except Exception as error:
                log.exception("%s failed", kind)
                await send({"type": f"{kind}.failed", "message": str(error)})
                return
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return

    async def _shut_down(self) -> None:
        for hook in reversed(self._app.shutdown):
            try:
                await hook()
            except Exception:
                log.exception("a shutdown hook failed")

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = _head(scope)
        bodiless = not (head.get(b"\r\ncontent-length:").strip(b"0") or head.get(b"\r\ntransfer-encoding:"))
        if bodiless and head.method in (b"GET", b"HEAD"):
            for raw in self._raw_handlers:
                answer = raw(head)
                if answer is not None:
                    await send(_start(answer))
                    await send({"type": "http.response.body", "body": b""})
                    return
        request, body = await self._request(head, receive)
        if isinstance(request, Response):
            response = request
            request = Request(head)
        else:
            result = self._dispatcher.call(request)
            response = result if isinstance(result, Response) else await result
        await self._answer(request, response, body, receive, send)

    async def _request(self, head: Head, receive: Receive) -> tuple[Request | Response, BodyStream]:
        """The request, its body read as its route wants it, or the answer to a body that is too large."""
        route = self._dispatcher.route_of(head)
        limit = route.body_size if route is not None and route.body_size is not None else self._app.limits.body_size
        body = _ReceivedBody(receive, head.connection, limit)
        if route is not None and route.stream:
            return Request(head, b"", body), body
        try:
            whole = b"".join([part async for part in body])
        except HTTPError as error:
            return self._dispatcher.error(Request(head), error), body
        return Request(head, whole), body

    async def _answer(
        self, request: Request, response: Response, body: BodyStream, receive: Receive, send: Send
    ) -> None:
        head_only = request.method == "HEAD"
        try:
            start = _start(encode(response, b"", head_only=True, keep_alive=True, http_1_0=False))
        except InvalidResponse as error:
            response = self._dispatcher.error(request, error)
            start = _start(encode(response, b"", head_only=True, keep_alive=True, http_1_0=False))
        await send(start)
        nothing = head_only or response.status in (204, 304)
        if response.stream is None or nothing:
            await send({"type": "http.response.body", "body": b"" if nothing else response.body})
        elif body.done:
            await _until_gone(_send_parts(response.stream, send), request.connection, receive)
        else:
            await _send_parts(response.stream, send)


async def _send_parts(parts: AsyncIterable[bytes], send: Send) -> None:
    async for part in parts:
        if part:
            await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_gone(sending: Any, info: ConnectionInfo, receive: Receive) -> None:
    """Send a stream to its end, or until the client has gone: then the handler's is cancelled, as it is here."""
    sender = asyncio.ensure_future(sending)
    watcher = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait([sender, watcher], return_when=asyncio.FIRST_COMPLETED)
        if sender.done():
            sender.result()
        else:
            info.gone = True
    finally:
        for task in (sender, watcher):
            task.cancel()
        await asyncio.gather(sender, watcher, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _head(scope: Scope) -> Head:
    """The head as bytes, its target below the place where this App is mounted."""
    client, server = scope.get("client"), scope.get("server")
    info = ConnectionInfo((client[0], client[1]) if client else None)
    info.local = (server[0], server[1]) if server and server[1] is not None else None
    info.scheme = scope.get("scheme", "http")
    path: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    root = quote(scope.get("root_path", "")).encode()
    if root and (path == root or path.startswith(root + b"/")):
        path = path[len(root) :] or b"/"
    query = scope.get("query_string", b"")
    head = Head(info)
    head.method = scope["method"].encode("ascii")
    head.target = path + b"?" + query if query else path
    lines = [b"%b %b HTTP/1.1" % (head.method, head.target)]
    lines += [b"%b: %b" % (name, value) for name, value in scope["headers"]]
    head.raw = b"\r\n".join(lines) + b"\r\n\r\n"
    head.lowered = head.raw.lower()
    return head


def _start(answer: bytes) -> Message:
    """The message for the head of an answer: status line and fields; framing is the other server's to write."""
    status, *lines = answer.rstrip(b"\r\n").split(b"\r\n")
    fields = [line.partition(b":") for line in lines]
    headers = [(name.lower(), value.strip()) for name, _, value in fields]
    kept = [(name, value) for name, value in headers if name not in (b"transfer-encoding", b"connection")]
    return {"type": "http.response.start", "status": int(status[9:12]), "headers": kept}


class _ReceivedBody(BodyStream):
    """A body that another server receives, within a limit of ours."""

    __slots__ = ("_info", "_left", "_receive")

    def __init__(self, receive: Receive, info: ConnectionInfo, limit: int) -> None:
        super().__init__(lambda: None)
        self._receive = receive
        self._info = info
        self._left = limit

    async def read(self) -> bytes:
        """The next part; b"" at the end. ClientGone; HTTPError 413 over the limit."""
        while not self.done:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._info.gone = True
                raise ClientGone("the peer closed the connection before its body was whole")
            part: bytes = message.get("body", b"")
            self._left -= len(part)
            if self._left < 0:
                raise HTTPError(413, "the body is over its limit")
            self._done = not message.get("more_body", False)
            if part:
                return part
        return b""
