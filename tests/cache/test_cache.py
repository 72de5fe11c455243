"""The cache as a mapping: order of use, times to live, bounds, figures."""

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from hopline.cache import Cache, CacheStats, Cause
from hopline.clock import ManualClock
from tests.cache.polling import WAIT


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


@pytest.mark.parametrize("ttl", [0.0, -1.0, math.nan])
def test_a_senseless_ttl_is_refused_before_anything_is_loaded(ttl: float) -> None:
    cache: Cache[str, int] = Cache(1)

    with pytest.raises(ValueError, match="must be more than 0"):
        cache.set("a", 1, ttl)
    with pytest.raises(ValueError, match="must be more than 0"):
        cache.get_or_load("a", lambda: pytest.fail("loaded"), ttl)


@pytest.mark.parametrize("ttl", [math.inf, 1e300])
def test_a_ttl_without_end_overrides_the_caches_own(ttl: float) -> None:
    clock = ManualClock()
    cache: Cache[str, int] = Cache(1, ttl=1.0, clock=clock)
    cache.set("a", 1, ttl)
    clock.advance(1e9)

    assert cache["a"] == 1


def test_what_has_expired_is_not_there() -> None:
    clock = ManualClock()
    cache: Cache[str, int] = Cache(10, ttl=1.0, clock=clock)
    cache["a"] = 1
    cache.set("b", 2, ttl=math.inf)
    clock.advance(1)

    assert list(cache) == ["b"]
    assert list(cache.items()) == [("b", 2)]
    assert list(cache.values()) == [2]
    assert not cache.delete("a")
    cache["c"] = 3
    clock.advance(1)
    assert cache.pop("c", None) is None
    cache["d"] = 4
    clock.advance(1)
    assert len(cache) == 1
    assert cache.stats().expirations == 3


def test_popitem_gives_the_oldest_that_lives() -> None:
    clock = ManualClock()
    cache: Cache[str, int] = Cache(10, clock=clock)
    cache.set("expired", 1, ttl=1.0)
    cache.set("old", 2)
    cache.set("new", 3)
    clock.advance(1)

    assert cache.popitem() == ("old", 2)
    assert cache.popitem() == ("new", 3)
    with pytest.raises(KeyError, match="empty"):
        cache.popitem()


def test_iterating_is_no_use_and_bears_changes() -> None:
    cache: Cache[int, int] = Cache(3)
    for key in range(3):
        cache[key] = key

    for key in cache:
        cache.delete(key)
        cache[key + 10] = key
    assert list(cache) == [10, 11, 12]
    for key, value in cache.items():
        assert cache.pop(key) == value
    assert len(cache) == 0
    assert cache.stats().hits == 0


def test_every_threads_setdefault_gets_the_same_value() -> None:
    cache: Cache[str, object] = Cache(10)
    for _ in range(50):
        together = threading.Barrier(8)

        def ask(together: threading.Barrier = together) -> object:
            together.wait(WAIT)
            return cache.setdefault("k", object())

        with ThreadPoolExecutor(8) as pool:
            answers = {answer.result(WAIT) for answer in [pool.submit(ask) for _ in range(8)]}
        assert answers == {cache.pop("k")}


def test_one_thread_pops_and_the_others_get_their_default() -> None:
    cache: Cache[str, int] = Cache(10)
    for _ in range(50):
        cache["k"] = 1
        together = threading.Barrier(8)

        def ask(together: threading.Barrier = together) -> int:
            together.wait(WAIT)
            return cache.pop("k", 0)

        with ThreadPoolExecutor(8) as pool:
            assert sum(answer.result(WAIT) for answer in [pool.submit(ask) for _ in range(8)]) == 1


def test_what_a_listener_raises_is_logged_and_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[str] = []

    def listen(key: str, value: int, cause: Cause) -> None:
        heard.append(key)
        raise ZeroDivisionError

    cache: Cache[str, int] = Cache(10, on_remove=listen)
    cache["a"] = 1
    cache["b"] = 2
    cache.clear()

    assert heard == ["a", "b"]
    assert "on_remove failed for key 'a', deleted" in caplog.text


def test_no_listener_is_called_under_the_lock() -> None:
    clock = ManualClock()
    others: list[bool] = []

    def listen(key: str, value: int, cause: Cause) -> None:
        with ThreadPoolExecutor(1) as pool:  # the lock is re-entrant, so only another thread can tell
            others.append(pool.submit(cache.__contains__, key).result(WAIT))

    cache: Cache[str, int] = Cache(2, ttl=5.0, clock=clock, on_remove=listen)
    cache["a"] = 1
    cache["a"] = 2
    cache["b"] = 3
    cache["c"] = 4
    cache.get_or_load("d", lambda: 5)
    cache.delete("d")
    cache.setdefault("e", 6)
    clock.advance(5)
    cache.setdefault("c", 7)
    clock.advance(5)
    cache.get("c")
    cache["f"] = 8
    cache.popitem()
    cache["g"] = 9
    clock.advance(5)
    cache.expire()
    cache["h"] = 10
    cache.clear()

    assert len(others) == cache.stats().sets


def test_a_key_that_uses_the_cache_as_it_is_hashed_does_not_hang() -> None:
    cache: Cache[object, int] = Cache(10)

    class Key:
        def __hash__(self) -> int:
            cache.get("other")
            return 1

    key = Key()
    cache[key] = 1
    assert cache[key] == 1


def test_threads_that_do_everything_at_once_leave_the_cache_whole() -> None:
    cache: Cache[int, int] = Cache(50, ttl=0.01)
    together = threading.Barrier(4)

    def work(seed: int) -> None:
        random = Random(seed)
        together.wait(WAIT)
        for _ in range(3_000):
            key = random.randrange(100)
            match random.randrange(7):
                case 0:
                    cache.set(key, key, random.choice([None, 0.001, math.inf]))
                case 1:
                    assert cache.get(key, key) == key
                case 2:
                    cache.delete(key)
                case 3:
                    assert cache.get_or_load(key, lambda key=key: key) == key  # type: ignore[misc]
                case 4:
                    assert cache.setdefault(key, key) == key
                case 5:
                    assert all(k == v for k, v in cache.items())
                case 6:
                    cache.expire()
            assert cache.stats().size <= 50

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, seed) for seed in range(4)]:
            done.result(60)

    assert len(cache._loading) == 0
    noted = [key for keys in cache._lru._deadlines._ticks.values() for key in keys]
    ending = [key for key, entry in cache._lru._entries.items() if entry.deadline != math.inf]
    assert sorted(noted) == sorted(ending)


def test_stats_are_taken_from_all_counters() -> None:
    clock = ManualClock()
    cache: Cache[str, int] = Cache(2, clock=clock)

    def load() -> int:
        clock.advance(0.5)
        return 1

    cache.get_or_load("a", load)
    cache.get("a")
    cache.set("b", 2, ttl=1.0)
    clock.advance(1.0)
    cache.get("b")
    cache["c"] = 3
    cache["d"] = 4
    with pytest.raises(ZeroDivisionError):
        cache.get_or_load("e", lambda: 1 // 0)

    assert cache.stats() == CacheStats(
        hits=1,
        misses=3,
        sets=4,
        evictions=1,
        expirations=1,
        loads=1,
        load_failures=1,
        load_seconds=0.5,
        size=2,
        maxsize=2,
    )
