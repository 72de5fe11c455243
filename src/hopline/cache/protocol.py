"""What others may rely on: the cache's figures, its errors, and why an entry left."""

from dataclasses import dataclass, field
from enum import Enum

from hopline.errors import HoplineError

__all__ = ["CacheDeadlock", "CacheError", "CacheStats", "Cause"]


class CacheError(HoplineError):
    """The root of this block's errors."""


class CacheDeadlock(CacheError, RuntimeError):
    """The caller would wait for a load that only the caller can finish."""


class Cause(Enum):
    """Why an entry left the cache: the third argument of `on_remove`."""

    EVICTED = "evicted"  # the least recently used one, to make room
    EXPIRED = "expired"  # its time to live was over
    REPLACED = "replaced"  # set again
    DELETED = "deleted"  # by delete, pop, popitem, del or clear


@dataclass(frozen=True, slots=True)
class CacheStats:
    """Figures since the cache was made, taken at one moment; additive over caches and processes."""

    hits: int = field(metadata={"help": "Look-ups answered by the cache"})
    misses: int = field(metadata={"help": "Look-ups that found nothing usable"})
    sets: int = field(metadata={"help": "Entries stored, those that were loaded included"})
    evictions: int = field(metadata={"help": "Entries that made room for others"})
    expirations: int = field(metadata={"help": "Entries removed because their time was over"})
    loads: int = field(metadata={"help": "Loads that gave a value"})
    load_failures: int = field(metadata={"help": "Loads that failed or were cancelled"})
    load_seconds: float = field(metadata={"help": "Seconds spent in loads, failed ones included"})
    size: int = field(metadata={"kind": "gauge", "help": "Entries held now, expired ones not yet removed included"})
    maxsize: int = field(metadata={"kind": "gauge", "help": "Entries that can be held"})
