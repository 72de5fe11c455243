"""What others may rely on: the cache's figures, its errors, and why an entry left."""

from dataclasses import dataclass, field
from enum import Enum

from hopline.errors import HoplineError

__all__ = ["CacheDeadlock", "CacheError", "CacheStats", "Cause"]


class CacheError(HoplineError):
    """The root of this block's errors."""


class CacheDeadlock(CacheError, RuntimeError):
    """A thread would wait for a load that only this thread can finish."""


class Cause(Enum):
    """Why an entry left the cache; the second argument of `on_remove` after key and value."""

    EVICTED = "evicted"  # the least recently used one, to make room
    EXPIRED = "expired"  # its time to live was over
    REPLACED = "replaced"  # set again
    DELETED = "deleted"  # by delete, pop, del or clear


@dataclass(frozen=True, slots=True)
class CacheStats:
    """Figures since the cache was made; additive over processes."""

    hits: int = field(metadata={"help": "Look-ups answered by the cache"})
    misses: int = field(metadata={"help": "Look-ups that found nothing usable"})
    sets: int = field(metadata={"help": "Entries stored"})
    evictions: int = field(metadata={"help": "Entries that made room for others"})
    expirations: int = field(metadata={"help": "Entries removed because their time was over"})
    loads: int = field(metadata={"help": "Loads that gave a value"})
    load_failures: int = field(metadata={"help": "Loads that failed"})
    load_seconds: float = field(metadata={"help": "Seconds spent in loads"})
    size: int = field(metadata={"kind": "gauge", "help": "Entries held now"})
    maxsize: int = field(metadata={"kind": "gauge", "help": "Entries that can be held"})
