"""One line for each answer, through `logging`: as text for people, or as JSON for machines.

The lines go to the logger `hopline.http.access` at INFO. Logging writes on the caller's thread, here the event
loop: behind a slow destination put a `logging.handlers.QueueHandler`.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import Final

from hopline.clock import Clock, SystemClock
from hopline.http.message import Request, Response
from hopline.http.middleware.composing import Answer
from hopline.http.protocol import Handler, Middleware

__all__ = ["access_log"]

CLIENT_GONE: Final = 499  # nginx's number for an answer that nobody waits for any more
Line = Callable[[Request, int, int, float], str]

# Everything that could end a line, colour a terminal or close a quote becomes \xHH (CVE-2020-7694).
_ESCAPES: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0x100), ord('"'), ord("\\"))}


def access_log(
    *,
    form: str = "text",
    query: bool = False,
    headers: Iterable[str] = (),
    logger: logging.Logger | None = None,
    clock: Clock | None = None,
) -> Middleware:
    """Log each answer once its body has left the handler: peer, request, status, bytes, seconds, request id.

    `form` is "text" or "json". Queries carry tokens and addresses, so only that there was one is logged, unless
    `query` is true; the target is written as it was sent, escaped. `headers` names request fields to add. Bytes are
    the body's, as the next middleware inward made it: use this one outside of compression. The line of a
    streamed answer is written at its end; one that was cancelled, as its client left or the server stopped, says 499.
    """
    if form not in ("text", "json"):
        raise ValueError(f"form {form!r} is not known; use 'text' or 'json'")
    out = logger or logging.getLogger("hopline.http.access")
    time = clock or SystemClock()
    names = tuple(name.lower() for name in headers)
    line = _text_line(query, names) if form == "text" else _json_line(query, names, time)

    def wrap(handler: Handler) -> Handler:
        def handle(request: Request) -> Answer:
            if not out.isEnabledFor(logging.INFO):
                return handler(request)
            entry = _Entry(request, out, line, time)
            answer = handler(request)
            return entry.answered(answer) if isinstance(answer, Response) else entry.when_answered(answer)

        return handle

    return wrap


class _Entry:
    """The line of one request, until it can be written."""

    __slots__ = ("_clock", "_line", "_out", "_request", "_started")

    def __init__(self, request: Request, out: logging.Logger, line: Line, clock: Clock) -> None:
        self._request = request
        self._out = out
        self._line = line
        self._clock = clock
        self._started = clock.monotonic()

    def _write(self, status: int, size: int) -> None:
        seconds = self._clock.monotonic() - self._started
        self._out.info("%s", self._line(self._request, status, size, seconds))

    def answered(self, response: Response) -> Response:
        bodiless = self._request.method == "HEAD" or response.status in (204, 304)
        if response.stream is not None and not bodiless:
            response.stream = self._counted(response.stream, response.status)
        else:
            self._write(response.status, 0 if bodiless else len(response.body))
        return response

    async def when_answered(self, pending: Awaitable[Response]) -> Response:
        try:
            response = await pending
        except asyncio.CancelledError:
            self._write(CLIENT_GONE, 0)
            raise
        return self.answered(response)

    async def _counted(self, parts: AsyncIterable[bytes], status: int) -> AsyncIterator[bytes]:
        size = 0
        try:
            async for part in parts:
                size += len(part)
                yield part
        finally:
            self._write(status, size)


def _shown(target: bytes, query: bool) -> str:
    path, asked, rest = target.decode("latin-1").partition("?")
    return path + asked + (rest if query else "..." if asked else "")


def _peer(request: Request) -> str:
    return request.peer[0] if request.peer else "-"


def _text_line(query: bool, names: tuple[str, ...]) -> Line:
    def line(request: Request, status: int, size: int, seconds: float) -> str:
        target = _shown(request.target, query).translate(_ESCAPES)
        identity = request.state.get("request_id", "-")
        text = f'{_peer(request)} "{request.method} {target}" {status} {size} {seconds:.6f} {identity}'
        for name in names:
            text += f' "{request.headers.get(name, "-").translate(_ESCAPES)}"'
        return text

    return line


def _json_line(query: bool, names: tuple[str, ...], clock: Clock) -> Line:
    def line(request: Request, status: int, size: int, seconds: float) -> str:
        entry = {
            "time": round(clock.time(), 3),
            "peer": _peer(request),
            "method": request.method,
            "target": _shown(request.target, query),
            "status": status,
            "bytes": size,
            "seconds": round(seconds, 6),
            "request_id": request.state.get("request_id"),
        }
        if names:
            entry["headers"] = {name: request.headers.get(name) for name in names}
        # ASCII only, so that nothing in it can end the line; DEL is the one control character JSON leaves.
        return json.dumps(entry).replace("\x7f", "\\u007f")

    return line
