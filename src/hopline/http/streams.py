"""Bodies while they move: a request's on its way in, an answer's on its way out, each at the pace of the slower side.

Neither side is buffered beyond `Limits.write_buffer`: a handler that doesn't read makes the connection stop reading
from its peer, and a peer that doesn't read makes the handler's next chunk wait.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

from hopline.http.errors import HTTPServerError

__all__ = ["BodyStream", "ClientGone"]


class ClientGone(HTTPServerError, ConnectionError):
    """The peer has left, or did not send the rest of its body in time."""


class BodyStream:
    """A request's body, part by part, for one task to read once. `wanted` is called when it has room again."""

    __slots__ = ("_done", "_error", "_parts", "_size", "_waiting", "_wanted")

    def __init__(self, wanted: Callable[[], None]) -> None:
        self._wanted = wanted
        self._parts: list[bytes] = []
        self._size = 0
        self._done = False
        self._error: Exception | None = None
        self._waiting: asyncio.Future[None] | None = None

    @property
    def size(self) -> int:
        """Bytes that have arrived and were not read yet."""
        return self._size

    @property
    def done(self) -> bool:
        """Whether the last part has arrived."""
        return self._done

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for the peer to send more."""
        return self._waiting is not None

    def feed(self, part: bytes, done: bool) -> None:
        """A part has arrived; `done` with the last one."""
        if part:
            self._parts.append(part)
            self._size += len(part)
        self._done = done
        if part or done:
            self._wake()

    def fail(self, error: Exception) -> None:
        """No more will come; who reads on gets `error`."""
        if not self._done:
            self._error = error
            self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def read(self) -> bytes:
        """What has arrived, waiting for something where there is nothing; b"" at the end. ClientGone."""
        while not self._parts:
            if self._done:
                return b""
            if self._error is not None:
                raise self._error
            self._waiting = asyncio.get_running_loop().create_future()
            self._wanted()
            try:
                await self._waiting
            finally:
                self._waiting = None
        part = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        self._wanted()
        return part

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._iterate()

    async def _iterate(self) -> AsyncIterator[bytes]:
        while part := await self.read():
            yield part
