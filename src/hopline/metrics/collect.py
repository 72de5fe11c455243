"""Figures of several processes, asked for when somebody scrapes.

Each process answers on a Unix socket in a run directory that all of them share: who connects reads one snapshot.
`collect` asks everybody at once and adds up. A process that does not answer in time is left out and counted, so that
one stuck worker can't hide the others; the sockets of dead ones are cleared away.
"""

import contextlib
import logging
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from hopline.errors import HoplineError
from hopline.metrics.snapshot import Sample, Snapshot, decode, encode, merge

__all__ = ["MetricsError", "SnapshotServer", "collect"]

log = logging.getLogger("hopline.metrics")
MAX_PATH: Final = 100  # bytes; the kernel's sockaddr_un holds 108 on Linux and 104 on macOS, an ending zero included
MAX_SNAPSHOT: Final = 4 << 20
BACKLOG: Final = 16
SEND_SECONDS: Final = 1.0  # what a client gets to take its answer
CLOSE_SECONDS: Final = 2.0  # what close() waits for an answer under way
PAUSE_SECONDS: Final = 0.1  # after accept() failed, which it does while the process has no file descriptor left


class MetricsError(HoplineError):
    """Figures can't be served from here."""


class SnapshotServer:
    """Answers one process's snapshot on a socket in `run_dir`, from a thread of its own, until closed.

    `take` is called on that thread; where it raises, that is logged and the process counts as silent this once.
    Open it after forking: a child would keep the socket of a dead parent alive. Whoever opens it closes it.
    """

    def __init__(self, run_dir: Path, name: str, take: Callable[[], Snapshot]) -> None:
        self._path = run_dir / f"{name}.sock"
        self._take = take
        self._closing = threading.Event()
        self._listener: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Start answering. MetricsError where there can be no socket, or its path is too long for one."""
        size = len(os.fsencode(self._path))
        if size > MAX_PATH:
            raise MetricsError(
                f"{str(self._path)!r} is {size} bytes long, and a socket's path at most {MAX_PATH}; "
                "use a run directory with a shorter path"
            )
        self._closing.clear()
        self._listener = self._listen()
        self._thread = threading.Thread(target=self._serve, args=(self._listener,), name="hopline-figures", daemon=True)
        self._thread.start()

    def _listen(self) -> socket.socket:
        # Under its name only once it listens: a scrape that comes between bind and listen would be refused, take
        # the socket for a dead one's and remove it.
        unready = self._path.with_suffix(".new")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            unready.unlink(missing_ok=True)
            listener.bind(str(unready))
            listener.listen(BACKLOG)
            unready.replace(self._path)
        except OSError as error:
            listener.close()
            raise MetricsError(f"can't answer figures at {str(self._path)!r}: {error}") from error
        return listener

    def _serve(self, listener: socket.socket) -> None:
        while not self._closing.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                if not self._closing.wait(PAUSE_SECONDS):
                    log.exception("can't take a question for figures; trying again")
                continue
            with client:
                self._answer(client)

    def _answer(self, client: socket.socket) -> None:
        try:
            answer = encode(self._take())
        except Exception:
            log.exception("can't take a snapshot of the figures of %s", self._path.stem)
            return
        client.settimeout(SEND_SECONDS)
        with contextlib.suppress(OSError):  # who asked has gone away
            client.sendall(answer)

    def close(self) -> None:
        """Stop answering. Idempotent."""
        if self._listener is None or self._thread is None:
            return
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept() on Linux
        with contextlib.suppress(OSError), _connected(self._path):
            pass  # and elsewhere
        self._thread.join(CLOSE_SECONDS)
        self._listener.close()
        self._listener = self._thread = None
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def collect(run_dir: Path, timeout: float = 1.0) -> Snapshot:
    """The merged figures of all processes with a socket in `run_dir`, from those who answer within `timeout` seconds.

    Blocks: call it from a thread. Adds how many processes answered and how many didn't.
    """
    answers, silent = _Round(timeout).ask(sorted(run_dir.glob("*.sock")))
    about = [
        Sample("hopline_processes", "gauge", "Processes whose figures these are", float(len(answers))),
        Sample("hopline_processes_silent", "gauge", "Processes that did not answer in time", float(silent)),
    ]
    return about + merge(answers)


class _Round:
    """One question to all processes, under one deadline. Used once, by one thread."""

    def __init__(self, timeout: float) -> None:
        self._deadline = time.monotonic() + timeout
        self._answers: list[Snapshot] = []
        self._silent = 0

    def ask(self, paths: list[Path]) -> tuple[list[Snapshot], int]:
        """The answers, and how many gave none."""
        with selectors.DefaultSelector() as selector:
            for path in paths:
                self._connect(path, selector)
            while selector.get_map() and (left := self._deadline - time.monotonic()) > 0:
                for key, _ in selector.select(left):
                    if self._read(key):
                        selector.unregister(key.fileobj)
                        _socket_of(key).close()
            for key in list(selector.get_map().values()):
                _socket_of(key).close()
                self._silent += 1
        return self._answers, self._silent

    def _connect(self, path: Path, selector: selectors.BaseSelector) -> None:
        try:
            client = _connected(path)
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)  # its process is dead
        except OSError:
            self._silent += 1  # so busy that its backlog is full, among other things
        else:
            selector.register(client, selectors.EVENT_READ, bytearray())

    def _read(self, key: selectors.SelectorKey) -> bool:
        """Take what has come; whether that was all."""
        answer = key.data
        try:
            part = _socket_of(key).recv(65_536)
            answer += part
            if part and len(answer) <= MAX_SNAPSHOT:
                return False
            self._answers.append(decode(bytes(answer)))  # one cut off by the limit is no JSON
        except (OSError, ValueError):
            self._silent += 1
        return True


def _socket_of(key: selectors.SelectorKey) -> socket.socket:
    if not isinstance(key.fileobj, socket.socket):
        raise TypeError("bug: only sockets are registered")
    return key.fileobj


def _connected(path: Path) -> socket.socket:
    """A socket connected to `path`, that never blocks: on a Unix socket connecting succeeds or fails at once."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        client.setblocking(False)
        client.connect(str(path))
    except OSError:
        client.close()
        raise
    return client
