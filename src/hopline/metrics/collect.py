"""Figures of several processes, asked for when somebody scrapes.

Each process answers on a Unix socket in a run directory that all of them share: who connects reads one snapshot.
`collect` asks everybody and adds up. A process that does not answer in time is left out and counted, so that one
stuck worker can't hide the others; the sockets of dead ones are cleared away.
"""

import contextlib
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from hopline.errors import HoplineError
from hopline.metrics.snapshot import Sample, Snapshot, decode, encode, merge

__all__ = ["MetricsError", "SnapshotServer", "collect"]

MAX_PATH: Final = 100  # bytes; the kernel's sockaddr_un holds 108 on Linux and 104 on macOS
MAX_SNAPSHOT: Final = 4 << 20
BACKLOG: Final = 16


class MetricsError(HoplineError):
    """Figures can't be served from here."""


class SnapshotServer:
    """Answers one process's snapshot on a socket in `run_dir`, from a thread of its own, until closed.

    `take` is called on that thread. A client gets a second to take its answer. Whoever opens it closes it.
    """

    def __init__(self, run_dir: Path, name: str, take: Callable[[], Snapshot]) -> None:
        self._path = run_dir / f"{name}.sock"
        self._take = take
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Start answering. MetricsError where the path is too long for a socket."""
        if len(os.fsencode(self._path)) > MAX_PATH:
            raise MetricsError(f"{str(self._path)!r} is too long for a socket; use a run directory with a shorter path")
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(self._path))
        self._socket.listen(BACKLOG)
        self._thread = threading.Thread(target=self._serve, args=(self._socket,), name="hopline-figures", daemon=True)
        self._thread.start()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return  # closed
            with client, contextlib.suppress(OSError):
                client.settimeout(1.0)
                client.sendall(encode(self._take()))

    def close(self) -> None:
        """Stop answering. Idempotent."""
        if self._socket is None:
            return
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes accept
        self._socket.close()
        self._socket = None
        self._path.unlink(missing_ok=True)
        if self._thread is not None:
            self._thread.join(2.0)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def collect(run_dir: Path, timeout: float = 1.0) -> Snapshot:
    """The merged figures of all processes with a socket in `run_dir`; at most `timeout` seconds are spent on each.

    Blocks: call it from a thread. Adds how many processes answered and how many didn't.
    """
    answers: list[Snapshot] = []
    silent = 0
    for path in sorted(run_dir.glob("*.sock")):
        try:
            answers.append(_ask(path, timeout))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)  # its process is dead
        except (OSError, ValueError):
            silent += 1
    about = [
        Sample("hopline_processes", "gauge", "Processes whose figures these are", float(len(answers))),
        Sample("hopline_processes_silent", "gauge", "Processes that did not answer in time", float(silent)),
    ]
    return about + merge(answers)


def _ask(path: Path, timeout: float) -> Snapshot:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(timeout)
        client.connect(str(path))
        parts: list[bytes] = []
        size = 0
        while part := client.recv(65_536):
            parts.append(part)
            size += len(part)
            if size > MAX_SNAPSHOT:
                raise ValueError(f"a snapshot of over {MAX_SNAPSHOT} bytes")
    return decode(b"".join(parts))
