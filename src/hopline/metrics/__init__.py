"""Figures that add up: taken by each part, merged over processes, rendered when somebody scrapes.

Example::

    from hopline.cache import Cache
    from hopline.metrics import from_stats, merge

    cache: Cache[str, int] = Cache(100)
    cache.get("a")
    mine = from_stats("app_cache", cache.stats())
    both = merge([mine, mine])  # as if two processes had answered
    assert [sample.value for sample in both if sample.name == "app_cache_misses"] == [2.0]
"""

from hopline.metrics.collect import MetricsError, SnapshotServer, collect
from hopline.metrics.prometheus import CONTENT_TYPE, render
from hopline.metrics.snapshot import Kind, Labels, Sample, Snapshot, Value, decode, encode, from_stats, merge

__all__ = [
    "CONTENT_TYPE",
    "Kind",
    "Labels",
    "MetricsError",
    "Sample",
    "Snapshot",
    "SnapshotServer",
    "Value",
    "collect",
    "decode",
    "encode",
    "from_stats",
    "merge",
    "render",
]
