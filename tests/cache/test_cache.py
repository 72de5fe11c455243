"""The cache as a mapping: order of use, times to live, bounds, figures."""

import os
from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hopline.cache import Cache, Cause
from hopline.clock import ManualClock


def test_the_least_recently_used_entry_leaves_first() -> None:
    cache: Cache[str, int] = Cache(2)
    cache.set("a", 1)
    cache.set("b", 2)
    cache.get("a")
    cache.set("c", 3)

    assert sorted(cache) == ["a", "c"]


def test_contains_is_not_a_use() -> None:
    cache: Cache[str, int] = Cache(2)
    cache["a"] = 1
    cache["b"] = 2
    assert "a" in cache
    cache["c"] = 3

    assert "a" not in cache
    assert cache.stats().hits == 0


def test_an_entry_lives_as_long_as_it_was_given() -> None:
    clock = ManualClock()
    cache: Cache[str, int] = Cache(10, ttl=10.0, clock=clock)
    cache.set("default", 1)
    cache.set("short", 2, ttl=1.0)
    clock.advance(0.999)
    assert cache.get("short") == 2
    clock.advance(0.001)
    assert cache.get("short") is None
    clock.advance(9.0)

    assert "default" not in cache
    assert cache.get("default", 7) == 7
    assert cache.stats().expirations == 2


def test_setting_again_starts_a_new_life() -> None:
    clock = ManualClock()
    cache: Cache[str, int] = Cache(10, clock=clock)
    cache.set("a", 1, ttl=1.0)
    cache.set("a", 2)
    clock.advance(100)

    assert cache.expire() == 0
    assert cache["a"] == 2


def test_none_is_a_value() -> None:
    cache: Cache[str, None] = Cache(2)
    cache["a"] = None

    assert cache["a"] is None
    assert cache.get_or_load("a", lambda: pytest.fail("loaded again")) is None
    with pytest.raises(KeyError):
        cache["b"]


def test_every_departure_has_its_cause() -> None:
    clock = ManualClock()
    heard: list[tuple[str, int, Cause]] = []
    cache: Cache[str, int] = Cache(2, clock=clock, on_remove=lambda *gone: heard.append(gone))
    cache.set("a", 1)
    cache.set("a", 2)
    cache.set("b", 3, ttl=1.0)
    cache.set("c", 4)
    clock.advance(2)
    cache.get("b")
    cache.delete("c")
    cache.set("d", 5)
    cache.clear()

    assert heard == [
        ("a", 1, Cause.REPLACED),
        ("a", 2, Cause.EVICTED),
        ("b", 3, Cause.EXPIRED),
        ("c", 4, Cause.DELETED),
        ("d", 5, Cause.DELETED),
    ]


def test_a_listener_may_use_the_cache() -> None:
    cache: Cache[str, int] = Cache(1, on_remove=lambda key, value, cause: cache.get(key))
    cache["a"] = 1
    cache["b"] = 2

    assert cache.stats().misses == 1


def test_deleting_what_is_not_there_says_so() -> None:
    cache: Cache[str, int] = Cache(1)

    assert not cache.delete("a")
    with pytest.raises(KeyError):
        del cache["a"]
    with pytest.raises(KeyError):
        cache.popitem()


@pytest.mark.parametrize(("maxsize", "ttl"), [(0, None), (-1, None), (1, 0.0), (1, -1.0)])
def test_senseless_bounds_are_refused(maxsize: int, ttl: float | None) -> None:
    with pytest.raises(ValueError, match="must be"):
        Cache(maxsize, ttl)


def test_replaced_deadlines_do_not_pile_up() -> None:
    cache: Cache[str, int] = Cache(10, ttl=1000.0)
    for value in range(10_000):
        cache["a"] = value

    assert len(cache._lru._deadlines) <= 2 * 10 + 64


def test_a_forked_child_has_a_cache_of_its_own() -> None:
    cache: Cache[str, int] = Cache(10)
    cache["a"] = 1
    pid = os.fork()
    if pid == 0:
        cache["b"] = cache["a"] + 1
        os._exit(0 if cache["b"] == 2 else 1)
    _, status = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert "b" not in cache


class Model:
    """What an exact LRU with times to live does, the slow way."""

    def __init__(self, maxsize: int) -> None:
        self.maxsize = maxsize
        self.entries: OrderedDict[int, tuple[int, float]] = OrderedDict()

    def get(self, key: int, now: float) -> int | None:
        value, deadline = self.entries.get(key, (0, -1.0))
        if deadline <= now:
            self.entries.pop(key, None)
            return None
        self.entries.move_to_end(key)
        return value

    def set(self, key: int, value: int, deadline: float) -> None:
        self.entries[key] = (value, deadline)
        self.entries.move_to_end(key)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("get"), st.integers(0, 6)),
        st.tuples(st.just("set"), st.integers(0, 6), st.one_of(st.none(), st.integers(1, 5))),
        st.tuples(st.just("delete"), st.integers(0, 6)),
        st.tuples(st.just("advance"), st.integers(1, 4)),
    ),
    max_size=60,
)


@settings(max_examples=300)
@given(st.integers(1, 4), STEPS)
def test_any_sequence_agrees_with_the_model(maxsize: int, steps: list[tuple[Any, ...]]) -> None:
    clock = ManualClock()
    cache: Cache[int, int] = Cache(maxsize, clock=clock)
    model = Model(maxsize)
    for number, step in enumerate(steps):
        now = clock.monotonic()
        if step[0] == "get":
            assert cache.get(step[1]) == model.get(step[1], now)
        elif step[0] == "set":
            cache.set(step[1], number, ttl=step[2])
            model.set(step[1], number, float("inf") if step[2] is None else now + step[2])
            # Which expired entries have been swept is the cache's own affair; which living ones left is not.
            living = [key for key, (_, deadline) in model.entries.items() if deadline > now]
            dead = [key for key in model.entries if key not in living]
            kept = set(cache)
            for key in dead:
                if key not in kept:
                    del model.entries[key]
            while len(model.entries) > maxsize:
                model.entries.popitem(last=False)
        elif step[0] == "delete":
            cache.delete(step[1])
            model.entries.pop(step[1], None)
        else:
            clock.advance(step[1])
        assert len(cache) <= maxsize
