"""Exact LRU with times to live, as a pure core: no lock, no clock, no statistics.

Entries stand in an OrderedDict, the most recently used one last; CPython's is a C linked list beside the hash
table, so look-up, move and eviction are O(1). Time is an argument. Expired entries are noticed when they are
looked at, and met first when room is made; `expire` walks a bounded number of the entries that have a time
to live, soonest first, by a heap of (deadline, order) that is rebuilt when most of it is stale.
"""

import heapq
import math
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Final, Generic, TypeVar

__all__ = ["Entry", "Lru"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
FOREVER: Final = math.inf
EXPIRED_A_SET: Final = 2  # expired entries cleared by each set: room is made faster than it is taken


class Entry(Generic[V]):
    """A value and its deadline, in the seconds of whatever clock the face reads."""

    __slots__ = ("deadline", "value")

    def __init__(self, value: V, deadline: float) -> None:
        self.value = value
        self.deadline = deadline


class Lru(Generic[K, V]):
    """The entries of a cache in order of use, at most `maxsize` of them. Guarded by its owner's lock."""

    __slots__ = ("_deadlines", "_entries", "_order", "maxsize")

    def __init__(self, maxsize: int) -> None:
        self.maxsize = maxsize
        self._entries: OrderedDict[K, Entry[V]] = OrderedDict()
        self._deadlines: list[tuple[float, int, K, Entry[V]]] = []
        self._order = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[K]:
        return iter(self._entries)

    def peek(self, key: K) -> Entry[V] | None:
        """The entry without counting as a use; the caller checks its deadline."""
        return self._entries.get(key)

    def touch(self, key: K) -> None:
        """Make `key` the most recently used; it must be here."""
        self._entries.move_to_end(key)

    def put(self, key: K, value: V, deadline: float) -> tuple[Entry[V] | None, list[tuple[K, Entry[V]]]]:
        """Store as most recently used; the entry replaced, if any, and those evicted."""
        entry = Entry(value, deadline)
        replaced = self._entries.get(key)
        self._entries[key] = entry
        self._entries.move_to_end(key)
        if deadline != FOREVER:
            self._note(deadline, key, entry)
        evicted = []
        while len(self._entries) > self.maxsize:
            evicted.append(self._entries.popitem(last=False))
        return replaced, evicted

    def pop(self, key: K) -> Entry[V] | None:
        """Take `key` out."""
        return self._entries.pop(key, None)

    def oldest(self) -> K:
        """The least recently used key. KeyError where there is none."""
        return next(iter(self._entries)) if self._entries else self._missing()

    def _missing(self) -> K:
        raise KeyError("the cache is empty")

    def expire(self, now: float, most: int) -> list[tuple[K, Entry[V]]]:
        """Take out up to `most` entries whose deadline has come, soonest first."""
        gone: list[tuple[K, Entry[V]]] = []
        deadlines = self._deadlines
        while deadlines and deadlines[0][0] <= now and len(gone) < most:
            _, _, key, entry = heapq.heappop(deadlines)
            if self._entries.get(key) is entry:
                del self._entries[key]
                gone.append((key, entry))
        return gone

    def clear(self) -> list[tuple[K, Entry[V]]]:
        """Take everything out."""
        everything = list(self._entries.items())
        self._entries.clear()
        self._deadlines.clear()
        return everything

    def _note(self, deadline: float, key: K, entry: Entry[V]) -> None:
        self._order += 1  # breaks ties, so that keys are never compared
        heapq.heappush(self._deadlines, (deadline, self._order, key, entry))
        # Replaced and evicted entries leave stale notes; rebuilding at twice the bound costs O(1) a set, amortised.
        if len(self._deadlines) > 2 * self.maxsize + 64:
            self._deadlines = [note for note in self._deadlines if self._entries.get(note[2]) is note[3]]
            heapq.heapify(self._deadlines)
