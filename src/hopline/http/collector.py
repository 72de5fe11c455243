"""Which requests go into one batch, and when it starts. Pure: what comes in, and when, is told.

The rule: a batch starts once a place to run is free and either `max_size` are waiting or the oldest has waited
`max_wait` seconds. So on an idle server a request waits `max_wait` for company and no longer; while all places are
busy the queue grows, and the place that gets free takes the oldest of it at once, up to `max_size`. With `max_wait` 0
only what is there in the same turn of the loop goes together, and batches grow with the load alone.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["BatchLimits", "Collector"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Bounds of one batched route: requests in a batch, seconds for company, requests waiting, batches at once."""

    max_size: int = 64
    max_wait: float = 0.005
    max_pending: int = 1024
    concurrency: int = 1

    def __post_init__(self) -> None:
        for name in ("max_size", "max_pending", "concurrency"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, not {getattr(self, name)!r}")
        if not 0 <= self.max_wait <= 60:
            raise ValueError(f"max_wait must be 0 to 60 s, not {self.max_wait!r}")
        if self.max_pending < self.max_size:
            raise ValueError(f"max_pending {self.max_pending} holds no batch of max_size {self.max_size}; raise it")


class Collector(Generic[T]):
    """The queue of one batched route. Items are hashable and told apart by equality; not thread-safe."""

    __slots__ = ("_hurried", "_limits", "_waiting", "running")

    def __init__(self, limits: BatchLimits) -> None:
        self._limits = limits
        # Ordered, so that the oldest is found and any one removed in constant time, however many have left.
        self._waiting: OrderedDict[T, float] = OrderedDict()
        self._hurried = False
        self.running = 0

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def add(self, item: T, now: float) -> bool:
        """Let `item` wait; False, and nothing done, where `max_pending` wait already."""
        if len(self._waiting) >= self._limits.max_pending:
            return False
        self._waiting[item] = now
        return True

    def discard(self, item: T) -> bool:
        """Take `item` out before its batch starts; whether it was waiting."""
        return self._waiting.pop(item, None) is not None

    def hurry(self) -> None:
        """From now on wait for no company: the server is stopping."""
        self._hurried = True

    @property
    def is_full(self) -> bool:
        """Whether a batch can start now that no further request could join."""
        return len(self._waiting) >= self._limits.max_size and self.running < self._limits.concurrency

    def due(self) -> float | None:
        """The moment the next batch starts if nothing else comes; None while none waits or no place is free."""
        if not self._waiting or self.running >= self._limits.concurrency:
            return None
        oldest = next(iter(self._waiting.values()))
        soon = self._hurried or len(self._waiting) >= self._limits.max_size
        return oldest if soon else oldest + self._limits.max_wait

    def take(self, now: float) -> list[tuple[T, float]]:
        """The batch that starts now, oldest first, each with the seconds it waited; [] where it isn't time.

        Whoever takes one calls `finished` when it has run.
        """
        due = self.due()
        if due is None or now < due:
            return []
        self.running += 1
        size = min(len(self._waiting), self._limits.max_size)
        batch = [self._waiting.popitem(last=False) for _ in range(size)]
        return [(item, now - since) for item, since in batch]

    def finished(self) -> None:
        """A batch has run: its place is free."""
        self.running -= 1
