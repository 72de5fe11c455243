"""The inside of TcpProxy: connections in pairs and the faults on them. Everything here runs on one event loop."""

import asyncio
import socket
import struct
from dataclasses import dataclass, replace

__all__ = ["ProxyStats", "Wire"]

CHUNK = 65_536  # bytes held for one direction of one connection at most, beside the kernel's buffers
CONNECT_TIMEOUT = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class ProxyStats:
    """Counts since the proxy was opened, but `open`, which is now."""

    accepted: int = 0
    open: int = 0
    refused: int = 0  # closed at once: refuse() was on, the server did not answer, or too many were open
    cut: int = 0  # connections ended by cut() or cut_after()
    held: int = 0  # chunks that met drop() or delay()
    to_server: int = 0  # bytes passed on
    to_client: int = 0


class Wire:
    """Passes bytes between accepted connections and `target`, under the faults that stand in its attributes."""

    def __init__(self, target: tuple[str, int], max_connections: int) -> None:
        self.delay = 0.0
        self.refuse = False
        self.cut_after: int | None = None  # bytes that may still pass to clients
        self.flow = asyncio.Event()  # down while every packet is dropped
        self.flow.set()
        self._target = target
        self._max_connections = max_connections
        self._stats = ProxyStats()
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()

    def stats(self) -> ProxyStats:
        """A snapshot; may be called from any thread."""
        return replace(self._stats, open=len(self._pairs))

    def heal(self) -> None:
        """Take back every fault."""
        self.delay, self.refuse, self.cut_after = 0.0, False, None
        self.flow.set()

    def cut(self) -> int:
        """Reset every connection; how many there were."""
        pairs = list(self._pairs)
        self._pairs.clear()
        for pair in pairs:
            for writer in pair:
                _reset(writer)
        self._count(cut=len(pairs))
        return len(pairs)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One accepted connection, from its beginning to its end."""
        self._count(accepted=1)
        if self.refuse or len(self._pairs) >= self._max_connections:
            self._refused(writer)
            return
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                upstream, to_server = await asyncio.open_connection(*self._target, limit=CHUNK)
        except OSError:  # TimeoutError is one
            self._refused(writer)
            return
        pair = (writer, to_server)
        self._pairs.add(pair)
        try:
            async with asyncio.TaskGroup() as directions:
                directions.create_task(self._pass(reader, to_server, "to_server"))
                directions.create_task(self._pass(upstream, writer, "to_client"))
        finally:
            self._pairs.discard(pair)
            writer.close()
            to_server.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str) -> None:
        """Pass one direction on until it ends; a half-close is passed on as one, a reset as one."""
        try:
            while data := await reader.read(CHUNK):
                if self.delay or not self.flow.is_set():
                    self._count(held=1)
                    await asyncio.sleep(self.delay)
                    await self.flow.wait()
                allowed = self._allow(data) if way == "to_client" else data
                writer.write(allowed)
                await writer.drain()
                self._count(**{way: len(allowed)})
                if allowed is not data:
                    self.cut()
                    return
            writer.write_eof()
        except OSError:
            _reset(writer)

    def _allow(self, data: bytes) -> bytes:
        """`data`, or another object with the part of it that may pass before the cut."""
        if self.cut_after is None:
            return data
        if len(data) < self.cut_after:
            self.cut_after -= len(data)
            return data
        part = memoryview(data)[: self.cut_after].tobytes()
        self.cut_after = None
        return part

    def _refused(self, writer: asyncio.StreamWriter) -> None:
        self._count(refused=1)
        _reset(writer)

    def _count(self, **more: int) -> None:
        self._stats = replace(self._stats, **{name: getattr(self._stats, name) + n for name, n in more.items()})


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST in place of FIN, as a peer that died does."""
    sock = writer.get_extra_info("socket")
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:  # closed already
        pass
    writer.transport.abort()
