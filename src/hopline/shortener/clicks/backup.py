"""A copy of the clicks while they are being written and counted.

First clicks.db, by SQLite's own backup, then the segments. In that order a click can't be missed: one counted
before the copy of the database is in it, any other is in a segment that is copied after it. And none is counted
twice, since the copied database holds the positions up to which it has counted; segments that it calls finished
are left out. A segment with a living writer is copied up to its last whole record.
"""

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from hopline.shortener.clicks.positions import Positions
from hopline.shortener.clicks.reading import LARGEST_PIECE, SegmentReader
from hopline.shortener.clicks.rollup import create_tables
from hopline.shortener.clicks.segment import segment_names, sync_directory

__all__ = ["JournalCopy", "copy_journal"]


@dataclass(frozen=True, slots=True)
class JournalCopy:
    """What copy_journal copied."""

    segments: int
    bytes: int


def copy_journal(journal_dir: Path, clicks_db: Path, target: Path) -> JournalCopy:
    """Copy to target/clicks.db and target/journal/, and sync both. OSError or sqlite3.Error where that fails.

    Restored into a data folder, the ingester goes on where the copied database ends. Segments of another
    installation may lie in the same folder: names are never used twice.
    """
    copies = target / "journal"
    copies.mkdir(mode=0o700, parents=True, exist_ok=True)
    positions = Positions()
    if clicks_db.exists():
        _copy_database(clicks_db, target / clicks_db.name, positions)
    copied = [
        _copy_segment(journal_dir / name, copies / name)
        for name in segment_names(journal_dir)
        if not positions.is_finished(name)
    ]
    sync_directory(copies)
    sync_directory(target)
    kept = [size for size in copied if size > 0]
    return JournalCopy(len(kept), sum(kept))


def _copy_database(source: Path, target: Path, positions: Positions) -> None:
    with closing(sqlite3.connect(source)) as reading, closing(sqlite3.connect(target)) as writing:
        reading.backup(writing)
        create_tables(writing)  # an ingester that has only just begun has made none yet
        positions.load(writing)
    fd = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _copy_segment(source: Path, target: Path) -> int:
    """Copy one segment up to the end of what was written; how many bytes that is. 0: nothing to keep."""
    reader = SegmentReader(source)
    try:
        reader.open()
    except FileNotFoundError:  # a spare that its writer took along, or a segment a day old
        return 0
    try:
        end = reader.find_end()
        if end > 0:
            _copy_bytes(source, target, end)
        return end
    finally:
        reader.close()


def _copy_bytes(source: Path, target: Path, end: int) -> None:
    with source.open("rb") as reading, target.open("wb") as writing:
        left = end
        while left > 0:
            piece = reading.read(min(left, LARGEST_PIECE))
            if not piece:
                break
            writing.write(piece)
            left -= len(piece)
        writing.flush()
        os.fsync(writing.fileno())
