"""A connection without a socket: what a Wire takes for a transport, and a test for its client's end.

Nothing is buffered without end, as with a real one: past HIGH unread bytes the server's side is told to pause, and a
client waits while the server doesn't read.
"""

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any, Final

from hopline.http.wire import Wire

__all__ = ["MemoryTransport"]

HIGH: Final = 65_536  # bytes the client has not read at which the server pauses writing
LOW: Final = 16_384  # and at which it goes on
PIECE: Final = 65_536  # bytes that reach the server in one read


class MemoryTransport(asyncio.Transport):
    """Both ends of one connection in memory. Lives on its loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, wire: Wire, peer: tuple[str, int]) -> None:
        super().__init__({"peername": peer, "sockname": ("testserver", 80)})
        self._loop = loop
        self._wire = wire
        self._out = bytearray()  # what the server wrote and the client has not read
        self._ended = False  # the server writes no more
        self._closing = False
        self._lost = False
        self._pauses_writing = False
        self._reads = True
        self._changed = asyncio.Event()

    # -- the client's end -------------------------------------------------------------------------------

    async def connect(self) -> None:
        """Make the connection."""
        await self._call(self._wire.connection_made, self)

    async def send(self, data: bytes) -> None:
        """Send `data`, as fast as the server reads; what is left when it has closed is dropped."""
        for start in range(0, len(data), PIECE):
            while not self._reads and not self._closing:
                await self._wait()
            if self._closing:
                return
            await self._call(self._wire.data_received, data[start : start + PIECE])

    async def send_eof(self) -> None:
        """End sending; the server may go on."""
        if not self._closing and not await self._call(self._wire.eof_received):
            self.close()

    async def read(self) -> bytes:
        """What the server wrote, waiting for something; b"" at the end."""
        while not self._out:
            if self._ended or self._closing:
                return b""
            await self._wait()
        data = bytes(self._out)
        self._taken()
        return data

    async def hang_up(self) -> None:
        """Be gone, and see the handler that was still at work end."""
        self.abort()
        await self._call(lambda: None)  # runs after connection_lost
        if self._wire.task is not None:
            await asyncio.wait([self._wire.task], timeout=1.0)

    async def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call as a loop does: from a callback, with no task current and in no test's context."""
        done: asyncio.Future[Any] = self._loop.create_future()

        def call() -> None:
            try:
                result = function(*arguments)
            except BaseException as error:  # noqa: BLE001 - the test's to see, whatever it is
                done.set_exception(error)
            else:
                done.set_result(result)

        self._loop.call_soon(call, context=contextvars.Context())
        return await done

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _taken(self) -> None:
        self._out.clear()
        if self._pauses_writing:
            self._pauses_writing = False
            self._loop.call_soon(self._wire.resume_writing, context=contextvars.Context())
        if self._closing:
            self._lose()

    # -- the server's end -------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take `data` for the client; the Wire is paused past HIGH."""
        if self._closing or self._ended:
            return
        self._out += data
        self._changed.set()
        if len(self._out) > HIGH and not self._pauses_writing:
            self._pauses_writing = True
            self._wire.pause_writing()

    def write_eof(self) -> None:
        self._ended = True
        self._changed.set()

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return len(self._out)

    def pause_reading(self) -> None:
        self._reads = False

    def resume_reading(self) -> None:
        self._reads = True
        self._changed.set()

    def is_reading(self) -> bool:
        return self._reads

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        """Close, once the client has read what there is."""
        self._closing = True
        self._changed.set()
        if not self._out:
            self._lose()

    def abort(self) -> None:
        """Close at once."""
        self._out.clear()
        self.close()

    def _lose(self) -> None:
        if not self._lost:
            self._lost = True
            self._loop.call_soon(self._wire.connection_lost, None, context=contextvars.Context())
