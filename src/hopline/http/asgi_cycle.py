"""One request to an ASGI application and its answer: what `receive` and `send` mean to a Request and a Response.

Parts of a streamed answer wait in a bounded buffer for the connection to take them: `send` waits while the peer is
slow. When nobody will read them any more, because the peer has gone or the answer was thrown away, `send` raises
ClientGone (an OSError, as ASGI 2.4 asks) and `receive` says `http.disconnect`.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, MutableMapping
from typing import Any, Final

from hopline.http.answer import InvalidResponse, encode, status_line
from hopline.http.errors import HTTPError, HTTPServerError
from hopline.http.message import Request, Response
from hopline.http.streams import BodyStream, ClientGone

__all__ = ["ASGIError", "Cycle"]

log = logging.getLogger("hopline.http")
BUFFER: Final = 65_536  # bytes of a streamed answer that wait for the connection; `send` waits beyond
_BODILESS: Final = (204, 304)
# Framing and Date are the server's to write; a length is taken from its field where it is needed.
_OURS: Final = frozenset((b"content-length", b"transfer-encoding", b"date", b"connection"))


class ASGIError(HTTPServerError, RuntimeError):
    """The application sent a message that can't be sent, or not now."""


class Cycle:
    """One call of the application: its `receive` and `send`, and the Response that comes of them."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._stream = request._stream
        self._received = False  # the body, to its end
        self._status = 0  # that of http.response.start, once it was sent
        self._headers: list[tuple[str, str]] = []
        self._length: int | None = None
        self._has_body = False  # a first body message has come: only then the answer may begin
        self._complete = False
        self._gone = False
        self._discards = False
        self._error: Exception | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._waiter: asyncio.Future[None] | None = None  # who waits for the answer, later for a part of it
        self._room: asyncio.Event | None = None
        self._end: asyncio.Event | None = None

    # -- what the application calls ---------------------------------------------------------------------

    async def receive(self) -> dict[str, Any]:
        """The next part of the body; then, when nobody waits for an answer any more, `http.disconnect`."""
        if self._complete or self._is_gone():
            return {"type": "http.disconnect"}
        if not self._received:
            if self._stream is not None:
                return await self._receive_part(self._stream)
            self._received = True
            return {"type": "http.request", "body": self._request.body, "more_body": False}
        if self._end is None:
            self._end = asyncio.Event()
        await self._end.wait()
        return {"type": "http.disconnect"}

    async def _receive_part(self, stream: BodyStream) -> dict[str, Any]:
        try:
            part = await stream.read()
        except ClientGone:
            self.abandon()
            return {"type": "http.disconnect"}
        except HTTPError as error:  # too large, slow or malformed: that is the answer, whatever the application says
            self._fail(error)
            self.abandon()
            return {"type": "http.disconnect"}
        self._received = stream.done
        return {"type": "http.request", "body": part, "more_body": not stream.done}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Take a message of the answer. ASGIError out of order, ClientGone where nobody reads it."""
        kind = message["type"]
        if kind == "http.response.start":
            self._start(message)
        elif kind == "http.response.body":
            self._take(message.get("body", b""), message.get("more_body", False))
            if self._discards:
                await asyncio.sleep(0)  # an endless answer to a HEAD must not keep the loop
            elif self._size > BUFFER and not self._complete:
                await self._wait_for_room()
        else:
            raise ASGIError(f"message {kind!r} can't answer an HTTP request; send http.response.start and .body")

    def _start(self, message: MutableMapping[str, Any]) -> None:
        if self._status:
            raise ASGIError("http.response.start was sent twice; send http.response.body next")
        status_line(message["status"])  # raises here, in the application, what can't be a status
        for name, value in message.get("headers", ()):
            lowered = name.lower()
            if lowered not in _OURS:
                self._headers.append((name.decode("latin-1"), value.decode("latin-1")))
            elif lowered == b"content-length":
                self._length = _length(value)
        self._status = message["status"]

    def _take(self, body: bytes, more: bool) -> None:
        if not self._status:
            raise ASGIError("http.response.body was sent before http.response.start")
        if self._complete:
            raise ASGIError("http.response.body was sent after the last one, which had no more_body")
        if self._is_gone():
            raise ClientGone("the client has gone, and nobody reads this answer")
        if body and not self._discards:
            self._parts.append(bytes(body))
            self._size += len(body)
        self._has_body = True
        if not more:
            self._complete = True
            self._set(self._end)
        self._wake()

    async def _wait_for_room(self) -> None:
        while self._size > BUFFER and not self._gone:
            self._room = asyncio.Event()
            await self._room.wait()
        if self._gone:
            raise ClientGone("the client has gone, and nobody reads this answer")

    # -- what the engine's side calls -------------------------------------------------------------------

    @property
    def answered(self) -> bool:
        """Whether `answer` has something to give, or to raise."""
        return self._has_body or self._error is not None

    async def wait(self) -> Response:
        """The answer, once its first part is there."""
        if not self.answered:
            try:
                await self._woken()
            except asyncio.CancelledError:
                self.abandon()
                raise
        return self.answer()

    def answer(self) -> Response:
        """The answer: plain where all of it is there, else a stream. Raises what the application did before it."""
        if self._error is not None:
            raise self._error
        status = self._status
        if self._request.method == "HEAD" or status in _BODILESS:
            self._discards = not self._complete
            if self._discards or not self._parts:
                self._clear()
                return Response(_NOTHING, status, headers=self._headers, length=self._length)
        if self._complete:
            return Response(b"".join(self._parts), status, headers=self._headers)
        self._check_head()
        return Response(_Parts(self), status, headers=self._headers, length=self._length)

    def _check_head(self) -> None:
        """Find now what can't be sent: the application must not wait for an answer that never begins to be read."""
        try:
            head = Response(b"", self._status, headers=self._headers)
            encode(head, b"", head_only=True, keep_alive=True, http_1_0=False)
        except InvalidResponse:
            self.abandon()
            raise

    async def next_part(self) -> bytes:
        """All that was sent since the last part; b"" at the end. Raises what the application did."""
        while not self._parts:
            if self._error is not None:
                raise self._error
            if self._complete:
                return b""
            try:
                await self._woken()
            except asyncio.CancelledError:
                self.abandon()
                raise
        part = b"".join(self._parts)
        self._clear()
        return part

    def _clear(self) -> None:
        """Make room for parts to come."""
        self._parts.clear()
        self._size = 0
        self._set(self._room)

    def ended(self, error: Exception | None) -> None:
        """The application has returned, or raised `error`."""
        target = self._request.target
        if self._complete:
            if error is not None:
                log.error("an ASGI application failed after its answer to %r", target, exc_info=error)
        elif self._is_gone():
            log.debug("an ASGI application ended after the client of %r had gone", target, exc_info=error)
        else:
            self._fail(error or ASGIError("the application returned before its answer was whole"))

    def abandon(self) -> None:
        """Nobody will read this answer, or the rest of it."""
        self._gone = True
        self._set(self._room)
        self._set(self._end)

    def _fail(self, error: Exception) -> None:
        self._error = error
        self._wake()

    def _is_gone(self) -> bool:
        return self._gone or self._request.connection.gone

    async def _woken(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _set(self, event: asyncio.Event | None) -> None:
        if event is not None:
            event.set()


def _length(value: bytes) -> int:
    if not (value.isascii() and value.isdigit()):
        raise ASGIError(f"content-length {value[:32]!r} is not a number of bytes")
    return int(value)


class _Parts:
    """A streamed answer, as the connection reads it. Dropped before its end, whoever drops it, it tells the cycle."""

    __slots__ = ("_cycle",)

    def __init__(self, cycle: Cycle) -> None:
        self._cycle = cycle

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        part = await self._cycle.next_part()
        if not part:
            raise StopAsyncIteration
        return part

    def __del__(self) -> None:
        try:
            self._cycle.abandon()
        except RuntimeError:
            pass  # the loop is closed already: nobody is left to be told


class _Nothing:
    """The body of an answer that has none, whatever its length field says."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        raise StopAsyncIteration


_NOTHING: Final = _Nothing()
