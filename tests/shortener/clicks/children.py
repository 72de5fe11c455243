"""Processes to be killed: `python -m tests.shortener.clicks.children NAME ARGUMENT...`

Each says on standard output how far it got, one line a step, flushed, so that the one who kills it knows what
has happened before the kill.
"""

import os
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

from hopline.clock import ManualClock
from hopline.shortener.clicks import ingest
from hopline.shortener.clicks.journal import Journal, JournalMode
from tests.shortener.clicks.clicking import NOW, SMALL, click


def append(directory: str, mode: JournalMode, kill_at: str) -> None:
    """Append numbered clicks for ever, reporting each; `kill_at` > 0 kills itself after that append, unreported."""
    journal = Journal(Path(directory), SMALL, mode=mode)
    journal.open()
    number = 0
    while True:
        number += 1
        while not journal.append(click(link=number)):
            pass  # the disk is slow; a click is reported only once it is in the journal
        if number == int(kill_at):
            os.kill(os.getpid(), signal.SIGKILL)
        os.write(1, b"%d\n" % number)


class KillingConnection(sqlite3.Connection):
    """Kills its process right before or right after commit number `at`."""

    point = ""
    at = 0
    commits = 0

    def commit(self) -> None:
        KillingConnection.commits += 1
        due = KillingConnection.commits == KillingConnection.at
        if due and self.point == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        super().commit()
        if due and self.point == "after":
            os.kill(os.getpid(), signal.SIGKILL)


def ingest_and_die(folder: str, point: str, at: str) -> None:
    """Ingest in batches of 100 records and be killed at one of the commits."""
    KillingConnection.point = point
    KillingConnection.at = int(at)
    connect: Any = sqlite3.connect

    def connect_to_kill(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **kwargs, factory=KillingConnection)
        return connection

    ingest.sqlite3.connect = connect_to_kill  # type: ignore[attr-defined]
    path = Path(folder)
    ingester = ingest.Ingester(path / "journal", path / "clicks.db", ManualClock(NOW), batch_records=100)
    ingester.open()
    while ingester.run_once().records:
        pass


def ingest_for_ever(folder: str) -> None:
    """Ingest in small batches, reporting each run."""
    path = Path(folder)
    ingester = ingest.Ingester(path / "journal", path / "clicks.db", ManualClock(NOW), batch_records=50)
    ingester.open()
    while True:
        os.write(1, b"%d\n" % ingester.run_once().records)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
