"""Copies of links.db, and what a copy has to be told before it serves again.

Between a backup and the loss that makes somebody restore it, more links were made, whose codes people have. Their
counter values must never be given out again, though the copy doesn't know of them. So a restored counter starts
past every value that can have been leased since: ten times the busiest day's leases for every day that passed, and
never less than ten million. Who knows better (a year of growth, an import of a thousand million) says so.
"""

import sqlite3
import time
from pathlib import Path
from typing import Final

__all__ = ["advance_counter", "backup_links"]

PAGES: Final = 1024  # copied at a time; writers go on between two steps
LEAST: Final = 10_000_000  # of 56.8 thousand million: a restore a day for fifteen years
MARGIN: Final = 10
DAY: Final = 86_400


def backup_links(source: Path, target: Path) -> None:
    """A consistent copy of `source`, while it serves. sqlite3.Error, OSError; `target` must not exist."""
    original = sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)
    try:
        copy = sqlite3.connect(target)
        try:
            original.backup(copy, pages=PAGES, sleep=0.001)
        finally:
            copy.close()
    finally:
        original.close()


def advance_counter(path: Path, backed_up_at: float, skip: int | None = None) -> int:
    """Move the counter of a restored links.db; by how much. `backed_up_at` is in seconds since 1970.

    `skip` overrides the reckoning above; it can't be negative.
    """
    if skip is not None and skip < 0:
        raise ValueError(f"a counter only goes forward: skip is {skip}")
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        if skip is None:
            (busiest,) = connection.execute("SELECT coalesce(max(leased), 0) FROM lease_days").fetchone()
            days = max(0.0, time.time() - backed_up_at) / DAY + 1
            skip = max(LEAST, int(MARGIN * busiest * days))
        connection.execute("UPDATE counter SET next = next + ? WHERE name = 'links'", (skip,))
        connection.execute("COMMIT")
    finally:
        connection.close()
    return skip
