"""Whether the clicks of a measurement add up: what was answered, what was recorded, what was counted."""

import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass

from benchmarks.contenders import Deferred, Hopline, Sustained
from benchmarks.pinned import BenchmarkError
from hopline.shortener.clicks.ingest import Ingester

__all__ = ["Sums", "sums_after_deferred", "sums_after_sustained"]

CATCH_UP = 120.0  # seconds the ingester may take after the load has ended


@dataclass(frozen=True, slots=True)
class Sums:
    """Clicks of one server's life. `answered` is the client's view: what it has read to the end.

    `counted` must equal `redirects`, the worker's own count, to the click. It may be larger than `answered` by what
    the client had under way when it hung up: those were answered and counted, and nobody was left to read.
    """

    answered: int
    in_flight: int
    redirects: int
    counted: int
    catch_up_seconds: float  # from the end of the load until all was counted

    def check(self) -> None:
        """BenchmarkError where they don't add up."""
        if self.counted != self.redirects:
            raise BenchmarkError(f"{self.redirects} redirects were answered, and {self.counted} clicks counted")
        if not self.answered <= self.counted <= self.answered + self.in_flight:
            raise BenchmarkError(
                f"{self.counted} clicks counted; the client read {self.answered} and had {self.in_flight} under way"
            )


def _settled(server: Hopline) -> int:
    """The worker's count of redirects, once it no longer moves: the last requests have been served."""
    last = -1
    for _ in range(50):
        now = server.redirects()
        if now == last:
            break
        last = now
        time.sleep(0.2)
    if server.dropped():
        raise BenchmarkError(f"{server.dropped()} clicks were dropped: the disk is full or too slow")
    return last


def sums_after_sustained(server: Sustained, answered: int, in_flight: int) -> Sums:
    """Wait until the ingester has counted all, and compare."""
    begun = time.monotonic()
    redirects = _settled(server)
    while server.lag_bytes():
        if time.monotonic() - begun > CATCH_UP:
            raise BenchmarkError(f"clicks are still not counted {CATCH_UP} s after the load")
        time.sleep(0.05)
    took = time.monotonic() - begun
    sums = Sums(answered, in_flight, redirects, server.counted(), round(took, 2))
    sums.check()
    return sums


def sums_after_deferred(server: Deferred, answered: int, in_flight: int) -> Sums:
    """Stop the worker, then count what it has left in its journal, and compare."""
    redirects = _settled(server)
    server.server.stop()
    begun = time.monotonic()
    database = server.data_dir / "clicks.db"
    ingester = Ingester(server.data_dir / "journal", database)
    ingester.open()
    try:
        while ingester.run_once().records:
            if time.monotonic() - begun > CATCH_UP:
                raise BenchmarkError(f"clicks are still not counted after {CATCH_UP} s")
    finally:
        ingester.close()
    took = time.monotonic() - begun
    with closing(sqlite3.connect(database)) as connection:
        counted = connection.execute("SELECT coalesce(sum(clicks), 0) FROM totals").fetchone()[0]
    sums = Sums(answered, in_flight, redirects, counted, round(took, 2))
    sums.check()
    return sums
