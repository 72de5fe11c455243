"""The ingester: reads journal segments, and commits their sums and its reading positions in one transaction.

That is the whole of "none lost, none counted twice": killed at any moment, it finds in clicks.db either both the
sums and the position behind them, or neither. Segments are read in order of their names from the stored
positions. One that is read to its end and whose writer is gone (its lock is free) is finished; its file is
removed a day after that was committed, and its row after the file.

It runs in a process of its own, so that counting never holds up an answer. CPU time a record, in batches of
50,000: 1.1 µs where one agent follows one link, 2.1 µs with 100 links and 50 agents, 9 µs with 5,000 links, 300
agents and 100 referrers, 30 to 37 µs where every click is on a link of its own (nine rows to write for each). The
first batch of a process takes 0.15 s more, to load the tables of agents.
"""

import fcntl
import logging
import os
import sqlite3
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol

from hopline.clock import Clock, SystemClock
from hopline.errors import HoplineError
from hopline.shortener.clicks.batch import Batch
from hopline.shortener.clicks.facts import FactFinder
from hopline.shortener.clicks.folder import SegmentFolder
from hopline.shortener.clicks.positions import Positions, SegmentRow
from hopline.shortener.clicks.reading import SegmentReader
from hopline.shortener.clicks.rollup import add_sums, create_tables
from hopline.shortener.clicks.segment import segment_ms

__all__ = ["IngestReport", "IngestStats", "Ingester", "IngesterBusy", "Stop"]

BATCH_RECORDS: Final = 50_000
BATCH_BYTES: Final = 32 << 20
KEEP_SECONDS: Final = 86_400
IDLE_SECONDS: Final = 0.2
LONGEST_PAUSE: Final = 5.0

_log = logging.getLogger(__name__)


class IngesterBusy(HoplineError):
    """Another process ingests into this database."""


class Stop(Protocol):
    """How run() learns that it should end: threading.Event will do."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float | None = None) -> bool: ...


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one run did, and what is left."""

    records: int
    segments: int  # that gave records
    damaged: int  # stretches skipped in segments, and records that make no sense
    lag_bytes: int  # written and not yet counted; 0 when everything was read
    lag_seconds: float  # age of the last record counted; 0.0 when everything was read
    finished: int
    removed: int


@dataclass(frozen=True, slots=True)
class IngestStats:
    """Sums of all reports, and the last lag."""

    records: int = field(default=0, metadata={"help": "Clicks counted"})
    damaged: int = field(default=0, metadata={"help": "Damaged stretches and records that made no sense"})
    finished: int = field(default=0, metadata={"help": "Journal segments read to their end"})
    removed: int = field(default=0, metadata={"help": "Journal segments removed"})
    runs: int = field(default=0, metadata={"help": "Batches committed, empty ones included"})
    failures: int = field(default=0, metadata={"help": "Batches that ended in an error and were rolled back"})
    lag_bytes: int = field(default=0, metadata={"kind": "gauge", "help": "Bytes of clicks not yet counted"})
    lag_seconds: float = field(default=0.0, metadata={"kind": "gauge", "help": "Age of the last click counted"})

    def __add__(self, other: "IngestStats") -> "IngestStats":
        return IngestStats(
            self.records + other.records,
            self.damaged + other.damaged,
            self.finished + other.finished,
            self.removed + other.removed,
            self.runs + other.runs,
            self.failures + other.failures,
            self.lag_bytes + other.lag_bytes,
            max(self.lag_seconds, other.lag_seconds),
        )


class Ingester:
    """Counts the clicks of one journal folder into one clicks.db. Not thread-safe.

    open() takes an exclusive lock (IngesterBusy if it is taken); whoever opened it closes it.
    """

    def __init__(
        self,
        journal_dir: Path,
        db_path: Path,
        clock: Clock | None = None,
        finder: FactFinder | None = None,
        batch_records: int = BATCH_RECORDS,
    ) -> None:
        self._directory = journal_dir
        self._db_path = db_path
        self._clock: Clock = clock or SystemClock()
        self._finder = finder or FactFinder()
        self._batch_records = batch_records
        self._positions = Positions()
        self._folder = SegmentFolder(journal_dir)
        self._connection: sqlite3.Connection | None = None
        self._lock = -1
        self._stats = IngestStats()

    def open(self) -> None:
        """Take the lock, make tables that are missing and read the positions."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _lock(self._db_path.with_name(self._db_path.name + ".lock"))
        try:
            self._connection = sqlite3.connect(self._db_path, isolation_level=None, timeout=10.0)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            create_tables(self._connection)
            self._positions.load(self._connection)
            self._folder.remove_abandoned()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close files and database and let go of the lock. Idempotent."""
        self._folder.close()
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def stats(self) -> IngestStats:
        """Counters since the ingester was made."""
        return self._stats

    def run(self, stop: Stop) -> None:
        """Ingest until `stop` is set, then once more. Errors are logged and tried again with growing pauses."""
        pause = IDLE_SECONDS
        while not stop.is_set():
            try:
                behind = self.run_once().lag_bytes > 0
            except (sqlite3.Error, OSError):
                _log.exception("clicks could not be ingested; they stay in the journal, next try in %.1f s", pause)
                stop.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            pause = IDLE_SECONDS
            if not behind:
                stop.wait(IDLE_SECONDS)
        self.run_once()

    def run_once(self) -> IngestReport:
        """Count what is there, up to a batch, and remove segments that are due. An error changes nothing."""
        if self._connection is None:
            raise HoplineError("the ingester is not open; call open() first")
        try:
            report = self._ingest(self._connection)
        except BaseException:
            self._stats = replace(self._stats, failures=self._stats.failures + 1)
            self._start_over(self._connection)
            raise
        self._stats += IngestStats(report.records, report.damaged, report.finished, report.removed, runs=1)
        self._stats = replace(self._stats, lag_bytes=report.lag_bytes, lag_seconds=report.lag_seconds)
        return report

    def _ingest(self, connection: sqlite3.Connection) -> IngestReport:
        now_ms = int(self._clock.time() * 1000)
        batch = Batch(self._finder.find, now_ms)
        rows, waiting = self._read(batch, now_ms)
        removed = self._remove_unused(rows)
        sums, nonsense = batch.fold()
        before = {name: self._positions[name] for name in rows}
        if rows:
            connection.execute("BEGIN IMMEDIATE")
            add_sums(connection, sums)
            self._positions.write(connection, rows)
            connection.commit()
            self._positions.committed(rows)
        finished = [name for name, row in rows.items() if row.finished_at is not None]
        for name in finished:
            self._folder.release_tail(name)
        removed += self._remove_due(connection, now_ms)
        lag_bytes = sum(reader.unread_bytes() for reader in map(self._reader, waiting) if reader is not None)
        return IngestReport(
            records=batch.records,
            segments=sum(row.position > before[name].position for name, row in rows.items()),
            damaged=nonsense + sum(row.damaged - before[name].damaged for name, row in rows.items()),
            lag_bytes=lag_bytes,
            lag_seconds=max(0.0, (now_ms - batch.last_ms) / 1000) if lag_bytes else 0.0,
            finished=len(finished),
            removed=removed,
        )

    def _read(self, batch: Batch, now_ms: int) -> tuple[dict[str, SegmentRow], list[str]]:
        """Fill `batch`. The rows that change with it, and the segments that the bounds left unread."""
        rows: dict[str, SegmentRow] = {}
        waiting: list[str] = []
        names = self._folder.names()
        for name in set(self._positions.unfinished()).difference(names):
            # Someone took the file away. Finished, its row goes after the same day as every other.
            rows[name] = replace(self._positions[name], finished_at=now_ms)
        room = BATCH_BYTES
        for name in names:
            if self._positions.is_finished(name):
                continue
            if batch.records < self._batch_records and room > 0:
                room -= self._read_segment(name, batch, rows, room, now_ms)
            if name not in rows or rows[name].finished_at is None:
                waiting.append(name)
        full = batch.records >= self._batch_records or room <= 0
        return rows, waiting if full else []

    def _read_segment(self, name: str, batch: Batch, rows: dict[str, SegmentRow], room: int, now_ms: int) -> int:
        """Add one segment's records to the batch; how many bytes they took."""
        reader = self._reader(name)
        if reader is None:
            return 0
        before = reader.position
        batch.add(reader.read(self._batch_records - batch.records, room), segment_ms(name))
        if reader.position != before or reader.finished:
            finished_at = now_ms if reader.finished else None
            rows[name] = SegmentRow(reader.position, reader.damaged, reader.skipped, finished_at)
        return reader.position - before

    def _reader(self, name: str) -> SegmentReader | None:
        return self._folder.reader(name, self._positions[name])

    def _remove_unused(self, rows: dict[str, SegmentRow]) -> int:
        """Remove segments that ended without a record (the spare of a killed writer): nothing to remember."""
        unused = [name for name, row in rows.items() if row.finished_at is not None and row.position == 0]
        unused = [name for name in unused if name not in self._positions]
        if unused:
            self._folder.remove(unused)
            for name in unused:
                del rows[name]
        return len(unused)

    def _remove_due(self, connection: sqlite3.Connection, now_ms: int) -> int:
        """Remove files a day after their last record was committed, then their rows."""
        due = self._positions.finished_before(now_ms - KEEP_SECONDS * 1000)
        if due:
            # In this order: a file without a row would be counted again.
            self._folder.remove(due)
            self._positions.forget(connection, due)
        return len(due)

    def _start_over(self, connection: sqlite3.Connection) -> None:
        """After an error only what the database holds is true, whether the commit got there or not."""
        self._folder.close()
        try:
            connection.rollback()
            self._positions.load(connection)
        except sqlite3.Error:
            _log.exception("clicks.db can't be read; the ingester goes on from what it knew last")


def _lock(path: Path) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        os.close(fd)
        raise IngesterBusy(
            f"another process ingests clicks and holds {str(path)!r}; one server a data folder: stop that one first"
        ) from exc
    return fd
