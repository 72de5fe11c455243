"""Whatever is done in whatever order, the cache agrees with a slow and obvious one.

Deadlines end in .25 and the clock moves in whole seconds, so that a deadline never falls into the tick that is now:
when an expired entry is removed is then decided, and evictions can be compared exactly.
"""

import math
from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hopline.cache import Cache, Cause
from hopline.clock import ManualClock

KEYS = st.integers(0, 6)
TTLS = st.one_of(st.none(), st.integers(0, 5).map(lambda whole: whole + 0.25), st.just(math.inf))


class AgreesWithModel(RuleBasedStateMachine):
    """The model: `order`, least recently used first, and a dict; it expires everything at every step."""

    @initialize(maxsize=st.integers(1, 4), ttl=TTLS)
    def start(self, maxsize: int, ttl: float | None) -> None:
        self.clock = ManualClock()
        self.left: list[tuple[int, int, Cause]] = []
        self.cache: Cache[int, int] = Cache(
            maxsize, ttl, clock=self.clock, on_remove=lambda key, value, cause: self.left.append((key, value, cause))
        )
        self.maxsize = maxsize
        self.ttl = math.inf if ttl is None else ttl
        self.entries: dict[int, tuple[int, float]] = {}
        self.order: list[int] = []
        self.expected: Counter[str] = Counter()
        self.evicted: list[tuple[int, int]] = []
        self.values = 0

    def drop(self, key: int) -> int:
        self.order.remove(key)
        return self.entries.pop(key)[0]

    def use(self, key: int) -> None:
        self.order.remove(key)
        self.order.append(key)

    def put(self, key: int, value: int, ttl: float | None) -> None:
        if key in self.entries:
            self.drop(key)
        while len(self.order) >= self.maxsize:
            oldest = self.order[0]
            self.evicted.append((oldest, self.drop(oldest)))
        self.entries[key] = (value, self.clock.monotonic() + (self.ttl if ttl is None else ttl))
        self.order.append(key)
        self.expected["sets"] += 1

    def looked_up(self, key: int) -> int | None:
        if key not in self.entries:
            self.expected["misses"] += 1
            return None
        self.expected["hits"] += 1
        self.use(key)
        return self.entries[key][0]

    def new_value(self) -> int:
        self.values += 1
        return self.values

    @rule(key=KEYS)
    def get(self, key: int) -> None:
        assert self.cache.get(key) == self.looked_up(key)

    @rule(key=KEYS, ttl=TTLS)
    def set(self, key: int, ttl: float | None) -> None:
        value = self.new_value()
        self.cache.set(key, value, ttl)
        self.put(key, value, ttl)

    @rule(key=KEYS, ttl=TTLS)
    def load(self, key: int, ttl: float | None) -> None:
        value = self.new_value()
        loaded = self.cache.get_or_load(key, lambda: value, ttl)
        known = self.looked_up(key)
        assert loaded == (value if known is None else known)
        if known is None:
            self.put(key, value, ttl)

    @rule(key=KEYS)
    def setdefault(self, key: int) -> None:
        value = self.new_value()
        got = self.cache.setdefault(key, value)
        known = self.looked_up(key)
        assert got == (value if known is None else known)
        if known is None:
            self.put(key, value, None)

    @rule(key=KEYS)
    def delete(self, key: int) -> None:
        assert self.cache.delete(key) == (key in self.entries)
        if key in self.entries:
            self.drop(key)

    @rule(key=KEYS)
    def pop(self, key: int) -> None:
        assert self.cache.pop(key, None) == (self.drop(key) if key in self.entries else None)

    @rule()
    def popitem(self) -> None:
        if self.order:
            oldest = self.order[0]
            assert self.cache.popitem() == (oldest, self.drop(oldest))

    @rule(seconds=st.integers(1, 4))
    def advance(self, seconds: int) -> None:
        self.clock.advance(seconds)
        now = self.clock.monotonic()
        for key in [key for key, (_, deadline) in self.entries.items() if deadline <= now]:
            self.drop(key)

    @rule()
    def expire(self) -> None:
        held = self.cache.stats().size
        assert self.cache.expire() == held - len(self.entries)

    @rule()
    def clear(self) -> None:
        self.cache.clear()
        self.entries.clear()
        self.order.clear()

    @invariant()
    def everything_agrees(self) -> None:
        assert list(self.cache) == self.order
        assert list(self.cache.items()) == [(key, self.entries[key][0]) for key in self.order]
        assert [key for key in range(7) if key in self.cache] == sorted(self.order)
        assert [(key, value) for key, value, cause in self.left if cause is Cause.EVICTED] == self.evicted
        stats = self.cache.stats()
        assert (stats.hits, stats.misses, stats.sets) == tuple(self.expected[n] for n in ("hits", "misses", "sets"))
        assert len(self.entries) <= stats.size <= self.maxsize

    def teardown(self) -> None:
        if not hasattr(self, "cache"):
            return
        self.cache.clear()
        stats = self.cache.stats()
        causes = Counter(cause for _, _, cause in self.left)
        assert len(self.left) == len({value for _, value, _ in self.left}) == stats.sets  # each left, each once
        assert (stats.evictions, stats.expirations) == (causes[Cause.EVICTED], causes[Cause.EXPIRED])


TestAgreesWithModel = AgreesWithModel.TestCase
TestAgreesWithModel.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
