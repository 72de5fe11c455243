"""Keys by the time they are due, as a pure core: no lock, no clock.

Time is cut into ticks of an eighth of a second; the keys of one tick share a dictionary, and a heap holds the
numbers of the ticks. So adding and discarding a key are dictionary steps whatever its deadline, nothing stale is
kept for a key that left early, and the heap is touched once a tick, not once a key.

A heap of (deadline, key) that drops stale notes when it is full of them was measured first: with 100,000 entries
one set in 100,000 took 400 ms, on an event loop, under the lock. Here the longest step is rebuilding the heap of
ticks, reached only if most keys have a tick of their own: a list and a heapify of small integers, about 5 ms for
100,000.
"""

import heapq
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

__all__ = ["FOREVER", "Deadlines"]

K = TypeVar("K", bound=Hashable)
FOREVER: Final = float("inf")  # the deadline of what never is due; it needs no place here
TICKS_A_SECOND: Final = 8
SLACK: Final = 64  # numbers of gone ticks that the heap may always hold, and that one call passes


class Deadlines(Generic[K]):
    """Which keys are due. Each key stands here at most once a deadline. Guarded by its owner's lock."""

    __slots__ = ("_heap", "_ticks")

    def __init__(self) -> None:
        self._ticks: dict[int, dict[K, float]] = {}
        self._heap: list[int] = []  # every number in _ticks, and at most as many again that are gone

    def add(self, key: K, deadline: float) -> None:
        """Note that `key` is due at `deadline`, which is finite."""
        tick = int(deadline * TICKS_A_SECOND)
        keys = self._ticks.get(tick)
        if keys is None:
            self._ticks[tick] = {key: deadline}
            self._push(tick)
        else:
            keys[key] = deadline

    def discard(self, key: K, deadline: float) -> None:
        """Forget that `key` is due at `deadline`."""
        tick = int(deadline * TICKS_A_SECOND)
        keys = self._ticks.get(tick)
        if keys is not None:
            keys.pop(key, None)
            if not keys:
                self._ticks.pop(tick, None)

    def take(self, now: float, most: int) -> list[K]:
        """Up to `most` keys that are due, taken out, from ticks that are wholly past.

        At most SLACK gone ticks are passed on the way, so that the work has a bound: fewer may come though more are
        due, on the next occasion they do. Keys of the tick that `now` is in stay until it is over; `take_rest`
        looks at them too.
        """
        current = int(now * TICKS_A_SECOND)
        due: list[K] = []
        heap = self._heap
        for _ in range(most + SLACK):
            if not heap or heap[0] >= current or len(due) == most:
                break
            keys = self._ticks.get(heap[0])
            if not keys:
                self._ticks.pop(heapq.heappop(heap), None)
            else:
                due.append(keys.popitem()[0])
        return due

    def take_rest(self, now: float) -> list[K]:
        """The due keys of the tick that `now` is in, taken out: what `take` leaves when it gives no more."""
        keys = self._ticks.get(int(now * TICKS_A_SECOND), {})
        due = [key for key, deadline in keys.items() if deadline <= now]
        for key in due:
            self.discard(key, now)
        return due

    def is_past_due(self, now: float) -> bool:
        """Whether `take` has something to do."""
        return bool(self._heap) and self._heap[0] < int(now * TICKS_A_SECOND)

    def clear(self) -> None:
        """Forget everything."""
        self._ticks.clear()
        self._heap.clear()

    def _push(self, tick: int) -> None:
        if len(self._heap) >= 2 * len(self._ticks) + SLACK:
            self._heap = list(self._ticks)
            heapq.heapify(self._heap)
        else:
            heapq.heappush(self._heap, tick)
