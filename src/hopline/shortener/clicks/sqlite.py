"""Click statistics out of clicks.db, for the API and the dashboard.

Reads run on one thread over a read-only connection, so a long one delays no answer and can't disturb the
ingester. Where clicks.db isn't there yet, because nothing was ever counted, every answer is zero.
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

from hopline.shortener.clicks.dimensions import DIMENSION_IDS
from hopline.shortener.clicks.hyperloglog import HyperLogLog
from hopline.shortener.clicks.protocol import DIMENSIONS, DayClicks, LinkStats, LinkTotals, ValueClicks
from hopline.shortener.clicks.statements import statement
from hopline.shortener.links.link import StoreUnavailable

__all__ = ["MOST_DAYS", "SqliteClickStore"]

MOST_DAYS: Final = 366
_EPOCH: Final = date(1970, 1, 1)
_NAMES: Final = {number: name for name, number in DIMENSION_IDS.items()}

T = TypeVar("T")


class SqliteClickStore:
    """The read side of clicks.db; implements ClickStore. Task-safe; close() by whoever made it.

    Raises StoreUnavailable where the file can't be read now.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # One thread, started by the first question. What waits for it is bounded by the requests being served.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hopline-clicks")
        self._connection: sqlite3.Connection | None = None

    async def stats(self, link_id: int, first_day: str, last_day: str) -> LinkStats:
        """Totals, and the days from `first_day` to `last_day` inclusive; ValueError for a range that is none."""
        first, last = _day_number(first_day), _day_number(last_day)
        if not 0 <= last - first < MOST_DAYS:
            raise ValueError(
                f"statistics from {first_day!r} to {last_day!r}: ask for 1 to {MOST_DAYS} days, the first one first"
            )
        empty = _stats(LinkTotals(), [], [], [], first, last)
        return await self._ask(lambda connection: _read_stats(connection, link_id, first, last), empty)

    async def totals(self, link_ids: Sequence[int]) -> dict[int, LinkTotals]:
        """All-time totals of several links; a link without clicks is missing from the answer."""
        wanted = json.dumps(list(link_ids))
        none: dict[int, LinkTotals] = {}
        return await self._ask(lambda connection: _read_totals(connection, wanted), none)

    async def close(self) -> None:
        """Release file and thread. Idempotent."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._thread.shutdown(wait=True)
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _ask(self, question: Callable[[sqlite3.Connection], T], nothing: T) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._answer, question, nothing)

    def _answer(self, question: Callable[[sqlite3.Connection], T], nothing: T) -> T:
        if not self._path.exists():
            return nothing
        try:
            if self._connection is None:
                self._connection = _connect(self._path)
            self._connection.execute("BEGIN")  # all of an answer is of one moment
            try:
                return question(self._connection)
            finally:
                self._connection.rollback()
        except sqlite3.Error as exc:
            if "no such table" in str(exc):  # the ingester is just making them
                return nothing
            raise StoreUnavailable(f"click statistics can't be read from {str(self._path)!r}: {exc}") from exc


def _connect(path: Path) -> sqlite3.Connection:
    # check_same_thread: close() comes from another thread, after this one has ended.
    return sqlite3.connect(
        f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None, timeout=5.0, check_same_thread=False
    )


def _read_totals(connection: sqlite3.Connection, wanted: str) -> dict[int, LinkTotals]:
    rows = connection.execute(statement("stats_totals"), (wanted,))
    return {link: LinkTotals(*counters) for link, *counters in rows}


def _read_stats(connection: sqlite3.Connection, link: int, first: int, last: int) -> LinkStats:
    span = (link, first, last)
    return _stats(
        _read_totals(connection, json.dumps([link])).get(link, LinkTotals()),
        connection.execute(statement("stats_days"), span).fetchall(),
        connection.execute(statement("stats_sketches"), span).fetchall(),
        connection.execute(statement("stats_values"), span).fetchall(),
        first,
        last,
    )


def _stats(
    totals: LinkTotals,
    day_rows: list[tuple[int, int, int, int]],
    sketch_rows: list[tuple[int, bytes]],
    value_rows: list[tuple[int, str, int]],
    first: int,
    last: int,
) -> LinkStats:
    """The answer out of the rows of one link, days without clicks filled in."""
    counted = {day: (clicks, humans, bots) for day, clicks, humans, bots in day_rows}
    visitors = {day: HyperLogLog.from_bytes(sketch).count() for day, sketch in sketch_rows}
    days = [
        DayClicks(_day_name(day), *counted.get(day, (0, 0, 0)), visitors.get(day, 0)) for day in range(first, last + 1)
    ]
    breakdowns: dict[str, list[ValueClicks]] = {name: [] for name in DIMENSIONS}
    for dimension, value, clicks in value_rows:
        if dimension in _NAMES:
            breakdowns[_NAMES[dimension]].append(ValueClicks(value, clicks))
    return LinkStats(totals, sum(visitors.values()), days, {**breakdowns})


def _day_number(day: str) -> int:
    return (date.fromisoformat(day) - _EPOCH).days


def _day_name(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).isoformat()
