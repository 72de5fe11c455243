"""Folding click records in memory: equal clicks are counted before anything else is done with them.

Stage one looks at every record and does as little as possible: all clicks of a link in one hour with the same
tail (browser, page, language, query) form a group. Stage two works on groups: it asks what the tail means and
adds the group to the sums that the database will hold. Traffic repeats itself, so there are far fewer groups.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from hopline.shortener.clicks.event import HEAD, ClickKind
from hopline.shortener.clicks.facts import Facts

__all__ = ["CLICKS", "FIRST_CREDIBLE_MS", "Batch", "Sums"]

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
FIRST_CREDIBLE_MS: Final = 1_577_836_800_000  # 2020-01-01: no record is older than the format
_LARGEST_ID: Final = (1 << 63) - 1  # SQLite's integers are signed

# Places in a row of counters.
CLICKS, HUMANS, BOTS, HEADS, PREFETCHES = range(5)
_unpack_head = HEAD.unpack_from


@dataclass(slots=True)
class Sums:
    """What a batch adds to the database. Days and hours are numbers since 1970, UTC."""

    hourly: dict[tuple[int, int], list[int]] = field(default_factory=dict)  # (link, hour): five counters
    last_click: dict[int, int] = field(default_factory=dict)  # link: ms
    values: dict[tuple[int, int], dict[tuple[int, str], int]] = field(default_factory=dict)  # (link, day)
    visitors: dict[tuple[int, int], set[int]] = field(default_factory=dict)  # (link, day): hashes of humans


class Batch:
    """The records of one transaction. Not thread-safe."""

    def __init__(self, find: Callable[[bytes], Facts], now_ms: int) -> None:
        self._find = find
        self._latest = now_ms + DAY_MS
        self._groups: dict[tuple[int, int, bytes], list[int]] = {}
        self.records = 0
        self.last_ms = 0  # time of the record added last

    def add(self, payloads: Sequence[bytes], segment_ms: int) -> None:
        """Count records of a segment created at `segment_ms`, which stands in for a time that can't be true."""
        groups = self._groups
        get = groups.get
        latest = self._latest
        time_ms = 0
        for payload in payloads:
            try:
                time_ms, link, visitor = _unpack_head(payload)
            except struct.error:  # shorter than a head: goes on as a tail that nobody can read
                time_ms, link, visitor = segment_ms, 0, 0
            if not FIRST_CREDIBLE_MS <= time_ms <= latest:
                time_ms = segment_ms
            key = (link, time_ms // HOUR_MS, payload[24:])
            group = get(key)
            if group is None:
                groups[key] = [time_ms, visitor]
            else:
                group.append(visitor)
                if time_ms > group[0]:
                    group[0] = time_ms
        self.records += len(payloads)
        self.last_ms = time_ms

    def fold(self) -> tuple[Sums, int]:
        """The sums of all records added, and how many of the records make no sense."""
        sums = Sums()
        nonsense = 0
        for (link, hour, tail), group in self._groups.items():
            try:
                facts = self._find(tail)
            except ValueError:
                nonsense += len(group) - 1
                continue
            if link > _LARGEST_ID:
                nonsense += len(group) - 1
                continue
            _add_group(sums, link, hour, facts, group)
        return sums, nonsense


def _add_group(sums: Sums, link: int, hour: int, facts: Facts, group: list[int]) -> None:
    """`group` is the time of its last click, then a visitor hash for each click."""
    clicks = len(group) - 1
    counters = sums.hourly.get((link, hour))
    if counters is None:
        counters = sums.hourly[link, hour] = [0, 0, 0, 0, 0]
    if facts.kind != ClickKind.CLICK:
        counters[HEADS if facts.kind == ClickKind.HEAD else PREFETCHES] += clicks
        return
    counters[CLICKS] += clicks
    counters[HUMANS if facts.human else BOTS] += clicks
    if group[0] > sums.last_click.get(link, 0):
        sums.last_click[link] = group[0]
    day = (link, hour // 24)
    values = sums.values.get(day)
    if values is None:
        values = sums.values[day] = {}
        sums.visitors[day] = set()
    for value in facts.values:
        values[value] = values.get(value, 0) + clicks
    if facts.human:
        # Both are even 64-bit hashes, so their XOR is one: a person is an address network with one browser.
        agent_hash = facts.agent_hash
        visitors = set(group[1:]) if clicks > 1 else (group[1],)
        sums.visitors[day].update([visitor ^ agent_hash for visitor in visitors])
