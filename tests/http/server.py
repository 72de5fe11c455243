"""An Engine on a loop in a thread of its own, and sockets that talk to it."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Self

from hopline.http import App, HTTPStats
from hopline.http.engine import Engine

__all__ = ["Server", "read_all", "read_until", "read_what_is_left"]


class Server:
    """An Engine in a thread of its own."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.loop = asyncio.new_event_loop()
        self.engine: Engine | None = None
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.engine = Engine(self.app, self.loop)
        self.loop.run_until_complete(self.engine.start([self.listener]))
        self._started.set()
        self.loop.run_forever()
        self.loop.run_until_complete(asyncio.sleep(0.01))  # what was closed last gets the turns it needs
        self.loop.close()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(10)
        return self

    def drain(self, timeout: float = 2.0) -> int:
        assert self.engine is not None
        return asyncio.run_coroutine_threadsafe(self.engine.drain(timeout), self.loop).result(10)

    def stats(self) -> HTTPStats:
        assert self.engine is not None
        return self.engine.stats()

    def __exit__(self, *exc: object) -> None:
        if not self.engine or not self.engine.draining:
            self.drain(0.5)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)

    @contextlib.contextmanager
    def client(self) -> Iterator[socket.socket]:
        with socket.create_connection(self.address, timeout=10) as client:
            yield client

    def talk(self, data: bytes, *, close: bool = True) -> bytes:
        """Send `data` and read until the server closes."""
        with self.client() as client:
            client.sendall(data)
            if close:
                client.shutdown(socket.SHUT_WR)
            return read_all(client)


def read_all(client: socket.socket) -> bytes:
    parts = []
    while part := client.recv(65536):
        parts.append(part)
    return b"".join(parts)


def read_what_is_left(client: socket.socket) -> bytes:
    """Like read_all, but a reset is an end too."""
    parts = []
    try:
        while part := client.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def read_until(client: socket.socket, ending: bytes) -> bytes:
    data = b""
    while not data.endswith(ending):
        part = client.recv(65536)
        assert part, f"closed after {data!r}"
        data += part
    return data
