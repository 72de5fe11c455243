"""`hopline serve` in which one process kills itself at a named point of its work, once.

    python -m tests.faults.faulty_serve POINT NTH MARKER [flags of hopline serve]

POINT is one of POINTS; at its NTH passage in any one process that process gets SIGKILL from itself. The marker file
is made in the moment before and keeps every later process alive. What is changed is changed before the workers are
forked, so that they inherit it; everything else is the real server.
"""

import os
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any, Final

from hopline.cli import main
from hopline.http.wire import Wire
from hopline.shortener.clicks import ingest
from hopline.shortener.clicks.journal import Journal

__all__ = ["POINTS"]

POINTS: Final = ("after-append", "after-send", "before-commit", "after-commit")


class Trap:
    """Counts passages in this process and kills it at the chosen one."""

    def __init__(self, nth: int, marker: Path) -> None:
        self._nth = nth
        self._marker = marker
        self._passages = 0

    def passed(self) -> None:
        """The point was reached."""
        self._passages += 1
        if self._passages >= self._nth:
            self._kill()

    def _kill(self) -> None:
        try:
            fd = os.open(self._marker, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            self._nth = sys.maxsize  # it has happened, here or elsewhere
            return
        os.write(fd, f"{os.getpid()}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)


def _after_append(trap: Trap) -> None:
    """The click is in the journal, its answer is not yet given to anyone."""
    append = Journal.append

    def append_and_die(self: Journal, payload: bytes) -> bool:
        done = append(self, payload)
        trap.passed()
        return done

    Journal.append = append_and_die  # type: ignore[method-assign]


def _after_send(trap: Trap) -> None:
    """The answer is the kernel's. The loop writes at the end of its turn, so that is seen in the turn after."""
    flush = Wire._flush

    def look(wire: Wire) -> None:
        if not wire.transport.is_closing() and wire.transport.get_write_buffer_size() == 0:
            trap.passed()

    def flush_and_look(self: Wire) -> None:
        had = bool(self._out)
        flush(self)
        if had:
            self._engine.loop.call_soon(look, self)

    Wire._flush = flush_and_look  # type: ignore[method-assign]


class _Module:
    """Stands for the sqlite3 module in the ingester: the same, but connections made by `factory`."""

    def __init__(self, factory: type[sqlite3.Connection]) -> None:
        self._factory = factory

    def __getattr__(self, name: str) -> Any:
        return getattr(sqlite3, name)

    def connect(self, *args: Any, **kwargs: Any) -> sqlite3.Connection:
        """As sqlite3.connect."""
        return sqlite3.connect(*args, **kwargs, factory=self._factory)


def _at_commit(trap: Trap, before: bool) -> None:
    """Sums and positions are written, and not yet or just now committed."""

    class Connection(sqlite3.Connection):
        def commit(self) -> None:
            due = self.in_transaction
            if due and before:
                trap.passed()
            super().commit()
            if due and not before:
                trap.passed()

    ingest.sqlite3 = _Module(Connection)  # type: ignore[assignment, attr-defined]


def _arm(point: str, trap: Trap) -> None:
    if point == "after-append":
        _after_append(trap)
    elif point == "after-send":
        _after_send(trap)
    else:
        _at_commit(trap, before=point == "before-commit")


if __name__ == "__main__":
    _arm(sys.argv[1], Trap(int(sys.argv[2]), Path(sys.argv[3])))
    sys.argv[1:4] = ["serve"]
    raise SystemExit(main())
