"""A TCP proxy between a client and a server under test, which delays, drops and cuts on command.

What a fault does to a connection is what a network can do: bytes are late, stand still, or end; they never get
lost in the middle, as TCP would not let them. Stats tell whether a fault met traffic: a fault that hit an idle
wire has tested nothing.
"""

import asyncio
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Self, TypeVar

from hopline.errors import HoplineError
from hopline.testing._wire import CHUNK, ProxyStats, Wire

__all__ = ["ProxyError", "ProxyStats", "TcpProxy"]

T = TypeVar("T")
PATIENCE = 10.0  # seconds in which the proxy's own loop must have obeyed


class ProxyError(HoplineError):
    """The proxy was used while it was not open, or did not obey in time."""


class TcpProxy:
    """Listens on 127.0.0.1 at `port` and passes everything to `target` until told otherwise.

    Thread-safe; while it is open it runs a thread with an event loop of its own. At most `max_connections` at
    once; more are refused.
    """

    def __init__(self, target: tuple[str, int], *, max_connections: int = 256) -> None:
        self._target = target
        self._max_connections = max_connections
        self._thread: threading.Thread | None = None
        self._port = 0
        # Set by the thread before it says that it has started:
        self._loop: asyncio.AbstractEventLoop
        self._wire: Wire
        self._closing: asyncio.Event

    @property
    def port(self) -> int:
        """The port clients connect to; it stays the same while the proxy is open."""
        self._check_open()
        return self._port

    @property
    def address(self) -> tuple[str, int]:
        """Host and port clients connect to."""
        return ("127.0.0.1", self.port)

    def stats(self) -> ProxyStats:
        """A snapshot."""
        return self._on_loop(lambda: self._wire.stats())

    def delay(self, seconds: float) -> None:
        """From now on, let each chunk wait `seconds`, in both directions."""
        self._on_loop(lambda: setattr(self._wire, "delay", seconds))

    def refuse(self, on: bool = True) -> None:
        """Close new connections at once, as a server that is down does; those that are open stay."""
        self._on_loop(lambda: setattr(self._wire, "refuse", on))

    def drop(self) -> None:
        """Let nothing pass, either way, until heal(): the network loses every packet, and nobody is told.

        What stood still then arrives, as TCP sends it again.
        """
        self._on_loop(lambda: self._wire.flow.clear())

    def cut(self) -> int:
        """End every open connection with a reset; how many there were. New ones are welcome."""
        return self._on_loop(lambda: self._wire.cut())

    def cut_after(self, count: int) -> None:
        """Cut everything, once, when `count` more bytes have gone to clients: an answer half sent."""
        self._on_loop(lambda: setattr(self._wire, "cut_after", count))

    def heal(self) -> None:
        """Take back every fault."""
        self._on_loop(lambda: self._wire.heal())

    def open(self) -> None:
        """Listen, and start passing."""
        if self._thread is not None:
            raise ProxyError(f"the proxy is already open on port {self._port}; close it first")
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._port = listener.getsockname()[1]
        started = threading.Event()
        # A daemon: a proxy that was not closed must not keep the process from ending.
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._main(listener, started)), name="hopline-tcp-proxy", daemon=True
        )
        self._thread.start()
        if not started.wait(PATIENCE):
            raise ProxyError(f"the proxy did not start in {PATIENCE:g} s")

    async def _main(self, listener: socket.socket, started: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._wire = Wire(self._target, self._max_connections)
        self._closing = asyncio.Event()
        server = await asyncio.start_server(self._wire.serve, sock=listener, limit=CHUNK)
        started.set()
        await self._closing.wait()
        # Not `async with server`: it waits for connections that are still being made, which run() cancels.
        server.close()
        self._wire.cut()

    def close(self) -> None:
        """Stop listening and reset what is open. Idempotent."""
        if self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            raise ProxyError(f"the proxy did not end in {PATIENCE:g} s")
        self._thread = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._thread is None:
            raise ProxyError("the proxy is not open; use `with` or open()")

    def _on_loop(self, command: Callable[[], T]) -> T:
        """Run `command` where the connections live: no lock is needed, and its effect is there on return."""
        self._check_open()
        done: Future[T] = Future()
        self._loop.call_soon_threadsafe(lambda: done.set_result(command()))
        return done.result(PATIENCE)
