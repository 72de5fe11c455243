"""One load a key, among threads, among tasks, and between both."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

import pytest

from hopline.cache import Cache, CacheDeadlock

WAIT = 10.0


def test_threads_that_miss_together_load_once() -> None:
    cache: Cache[str, int] = Cache(10)
    calls: list[int] = []
    everybody = threading.Barrier(10)
    release = threading.Event()

    def load() -> int:
        calls.append(1)
        assert release.wait(WAIT)
        return 42

    def ask() -> int:
        everybody.wait(WAIT)
        return cache.get_or_load("k", load)

    with ThreadPoolExecutor(10) as pool:
        answers = [pool.submit(ask) for _ in range(10)]
        while cache.stats().misses < 10:
            pass
        release.set()

        assert [answer.result(WAIT) for answer in answers] == [42] * 10
    assert len(calls) == 1
    assert cache.stats().loads == 1


def test_tasks_that_miss_together_load_once() -> None:
    async def run() -> None:
        cache: Cache[str, int] = Cache(10)
        calls = 0

        async def load() -> int:
            nonlocal calls
            calls += 1
            await asyncio.sleep(0)
            return 42

        assert await asyncio.gather(*(cache.aget_or_load("k", load) for _ in range(10))) == [42] * 10
        assert calls == 1

    asyncio.run(run())


def test_a_thread_and_a_task_share_one_load() -> None:
    cache: Cache[str, str] = Cache(10)
    started, release = threading.Event(), threading.Event()

    def load() -> str:
        started.set()
        assert release.wait(WAIT)
        return "from the thread"

    async def ask() -> str:
        waiting = asyncio.ensure_future(cache.aget_or_load("k", lambda: pytest.fail("loaded twice")))
        await asyncio.sleep(0)
        release.set()
        return await waiting

    with ThreadPoolExecutor(1) as pool:
        mine = pool.submit(cache.get_or_load, "k", load)
        assert started.wait(WAIT)

        assert asyncio.run(ask()) == "from the thread"
        assert mine.result(WAIT) == "from the thread"


def test_cancelling_the_first_caller_leaves_the_others_their_value() -> None:
    async def run() -> None:
        cache: Cache[str, int] = Cache(10)
        gate = asyncio.Event()

        async def load() -> int:
            await gate.wait()
            return 42

        first = asyncio.ensure_future(cache.aget_or_load("k", load))
        await asyncio.sleep(0)
        second = asyncio.ensure_future(cache.aget_or_load("k", load))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        gate.set()

        assert await second == 42
        assert cache.get("k") == 42

    asyncio.run(run())


def test_a_failure_reaches_who_waited_and_is_forgotten() -> None:
    async def run() -> None:
        cache: Cache[str, int] = Cache(10)
        gate = asyncio.Event()

        async def fail() -> NoReturn:
            await gate.wait()
            raise ZeroDivisionError

        waiting = [asyncio.ensure_future(cache.aget_or_load("k", fail)) for _ in range(3)]
        await asyncio.sleep(0)
        gate.set()
        results = await asyncio.gather(*waiting, return_exceptions=True)

        assert [type(result) for result in results] == [ZeroDivisionError] * 3
        assert await cache.aget_or_load("k", lambda: 7) == 7
        assert cache.stats().load_failures == 1

    asyncio.run(run())


def test_a_sync_failure_reaches_the_caller() -> None:
    cache: Cache[str, int] = Cache(10)

    with pytest.raises(ZeroDivisionError):
        cache.get_or_load("k", lambda: 1 // 0)
    assert cache.get_or_load("k", lambda: 7) == 7


@pytest.mark.parametrize("change", ["set", "delete", "clear"])
def test_a_load_that_was_overtaken_does_not_overwrite(change: str) -> None:
    cache: Cache[str, str] = Cache(10)

    def load() -> str:
        if change == "set":
            cache.set("k", "newer")
        elif change == "delete":
            cache.delete("k")
        else:
            cache.clear()
        return "older"

    assert cache.get_or_load("k", load) == "older"
    assert cache.get("k") == ("newer" if change == "set" else None)


def test_who_comes_after_an_edit_does_not_join_the_load_from_before_it() -> None:
    async def run() -> None:
        cache: Cache[str, str] = Cache(10)
        gate = asyncio.Event()

        async def old() -> str:
            await gate.wait()
            return "old"

        before = asyncio.ensure_future(cache.aget_or_load("k", old))
        await asyncio.sleep(0)
        cache.delete("k")

        assert await cache.aget_or_load("k", lambda: "new") == "new"
        gate.set()
        assert await before == "old"
        assert cache.get("k") == "new"

    asyncio.run(run())


def test_waiting_on_the_loop_for_its_own_load_raises_instead_of_hanging() -> None:
    async def run() -> None:
        cache: Cache[str, int] = Cache(10)
        gate = asyncio.Event()

        async def load() -> int:
            await gate.wait()
            return 42

        loading = asyncio.ensure_future(cache.aget_or_load("k", load))
        await asyncio.sleep(0)
        with pytest.raises(CacheDeadlock):
            cache.get_or_load("k", lambda: 1)
        gate.set()
        assert await loading == 42

    asyncio.run(run())


def test_a_loader_that_loads_its_own_key_raises_instead_of_hanging() -> None:
    cache: Cache[str, int] = Cache(10)

    with pytest.raises(CacheDeadlock):
        cache.get_or_load("k", lambda: cache.get_or_load("k", lambda: 1))


def test_a_loaded_value_gets_the_ttl_it_was_given() -> None:
    from hopline.clock import ManualClock

    clock = ManualClock()
    cache: Cache[str, int] = Cache(10, clock=clock)
    cache.get_or_load("k", lambda: 1, ttl=5.0)
    clock.advance(5.0)

    assert "k" not in cache
