"""Adding a batch's sums to clicks.db, inside the transaction of whoever calls.

Referrers, campaigns and agents are the sender's to choose, so a day's breakdown must stay small whatever is
sent. Whenever a dimension of a link's day holds more than 100 values, all but the 50 most clicked become
"(other)". New values are added first and judged together with the old ones, so a flood of values
seen once can't push out one that was seen often. Counting values after each batch would cost a scan a link, so
each day keeps an upper bound of its widest dimension ("breadth"), and is counted only when that passes 100.
"""

import sqlite3
from collections.abc import Iterator
from typing import Final

from hopline.shortener.clicks.batch import Sums
from hopline.shortener.clicks.hyperloglog import HyperLogLog
from hopline.shortener.clicks.statements import statement

__all__ = ["KEPT_VALUES", "MOST_VALUES", "OVERFLOW", "add_sums", "create_tables"]

MOST_VALUES: Final = 100
KEPT_VALUES: Final = 50
OVERFLOW: Final = "(other)"


def create_tables(connection: sqlite3.Connection) -> None:
    """Make what is missing; harmless where it is there."""
    connection.executescript(statement("schema"))


def add_sums(connection: sqlite3.Connection, sums: Sums) -> None:
    """Add a batch to all tables but `segments`. Neither begins nor commits."""
    # In the order of the keys: neighbours share pages.
    hourly = sorted(sums.hourly.items())
    connection.executemany(statement("add_totals"), _totals(sums))
    connection.executemany(statement("add_hourly"), ((*key, *counters) for key, counters in hourly))
    days = sorted(sums.values)
    connection.executemany(statement("add_breakdown"), _breakdown(sums, days))
    wide = _add_days(connection, sums, days)
    for link, day in wide:
        _fold_overflow(connection, link, day)


def _totals(sums: Sums) -> Iterator[tuple[int | None, ...]]:
    totals: dict[int, list[int]] = {}
    for (link, _), counters in sums.hourly.items():
        total = totals.get(link)
        totals[link] = counters if total is None else [a + b for a, b in zip(total, counters, strict=True)]
    for link, total in sorted(totals.items()):
        yield (link, *total, sums.last_click.get(link))


def _breakdown(sums: Sums, days: list[tuple[int, int]]) -> Iterator[tuple[int, int, int, str, int]]:
    for link, day in days:
        for (dimension, value), clicks in sums.values[link, day].items():
            yield (link, day, dimension, value, clicks)


def _add_days(connection: sqlite3.Connection, sums: Sums, days: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Add visitors and breadth of each day; the days that may have grown too wide."""
    wide: list[tuple[int, int]] = []
    read = statement("read_daily")
    written: list[tuple[int, int, int, bytes]] = []
    for link, day in days:
        breadth, sketch = connection.execute(read, (link, day)).fetchone() or (0, b"")
        visitors = HyperLogLog.from_bytes(sketch)
        visitors.update(sums.visitors[link, day])
        breadth += _breadth(sums.values[link, day])
        if breadth > MOST_VALUES:
            wide.append((link, day))
        written.append((link, day, breadth, visitors.to_bytes()))
    connection.executemany(statement("write_daily"), written)
    return wide


def _breadth(values: dict[tuple[int, str], int]) -> int:
    """How many values the dimension with most of them has."""
    counts: dict[int, int] = {}
    for dimension, _ in values:
        counts[dimension] = counts.get(dimension, 0) + 1
    return max(counts.values(), default=0)


def _fold_overflow(connection: sqlite3.Connection, link: int, day: int) -> None:
    """Count the values of a day, fold those beyond the bound, and note the breadth that is left."""
    breadth = 0
    for dimension, count in connection.execute(statement("count_values"), (link, day)).fetchall():
        if count > MOST_VALUES:
            _fold_dimension(connection, link, day, dimension)
            breadth = max(breadth, KEPT_VALUES + 1)
        else:
            breadth = max(breadth, count)
    connection.execute(statement("write_breadth"), (breadth, link, day))


def _fold_dimension(connection: sqlite3.Connection, link: int, day: int, dimension: int) -> None:
    smallest = connection.execute(statement("smallest_values"), (link, day, dimension, KEPT_VALUES)).fetchall()
    connection.executemany(statement("delete_value"), ((link, day, dimension, value) for value, _ in smallest))
    folded = sum(clicks for _, clicks in smallest)
    connection.execute(statement("add_breakdown"), (link, day, dimension, OVERFLOW, folded))
