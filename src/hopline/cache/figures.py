"""What a cache counts while it works. Guarded by the cache's lock."""

from collections.abc import Iterable
from typing import Any

from hopline.cache.lru import Removal
from hopline.cache.protocol import CacheStats, Cause

__all__ = ["Figures"]


class Figures:
    """The counters behind CacheStats, where each has its meaning; `snapshot` takes them all at one moment."""

    __slots__ = (
        "evictions",
        "expirations",
        "hits",
        "load_failures",
        "load_seconds",
        "loads",
        "misses",
        "sets",
    )

    def __init__(self) -> None:
        self.hits = 0
        self.misses = 0
        self.sets = 0
        self.evictions = 0
        self.expirations = 0
        self.loads = 0
        self.load_failures = 0
        self.load_seconds = 0.0

    def removed(self, removals: Iterable[Removal[Any, Any]]) -> None:
        """Count why entries left; those replaced or deleted are the caller's doing and are not counted."""
        for _, _, cause in removals:
            if cause is Cause.EVICTED:
                self.evictions += 1
            elif cause is Cause.EXPIRED:
                self.expirations += 1

    def loaded(self, seconds: float) -> None:
        """Count a load that gave a value."""
        self.loads += 1
        self.load_seconds += seconds

    def failed(self, seconds: float) -> None:
        """Count a load that did not."""
        self.load_failures += 1
        self.load_seconds += seconds

    def snapshot(self, size: int, maxsize: int) -> CacheStats:
        """The figures now, of a cache that holds `size` of `maxsize` entries."""
        return CacheStats(
            hits=self.hits,
            misses=self.misses,
            sets=self.sets,
            evictions=self.evictions,
            expirations=self.expirations,
            loads=self.loads,
            load_failures=self.load_failures,
            load_seconds=self.load_seconds,
            size=size,
            maxsize=maxsize,
        )
