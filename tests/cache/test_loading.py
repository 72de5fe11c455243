"""One load a key, among threads, among tasks, and between both."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

import pytest

from hopline.cache import Cache, Cause
from hopline.clock import ManualClock
from tests.cache.polling import WAIT, until


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
        until(lambda: cache.stats().misses == 10)
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


@pytest.mark.parametrize("change", ["set", "setdefault", "delete", "clear"])
def test_a_load_that_was_overtaken_does_not_overwrite(change: str) -> None:
    cache: Cache[str, str] = Cache(10)

    def load() -> str:
        if change == "set":
            cache.set("k", "newer")
        elif change == "setdefault":
            cache.setdefault("k", "newer")
        elif change == "delete":
            cache.delete("k")
        else:
            cache.clear()
        return "older"

    assert cache.get_or_load("k", load) == "older"
    assert cache.get("k") == ("newer" if change.startswith("set") else None)


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


def test_a_loaded_value_gets_the_ttl_it_was_given() -> None:
    clock = ManualClock()
    cache: Cache[str, int] = Cache(10, clock=clock)
    cache.get_or_load("k", lambda: 1, ttl=5.0)
    clock.advance(5.0)

    assert "k" not in cache


@pytest.mark.parametrize("leader", ["thread", "task"])
def test_threads_and_tasks_of_two_loops_share_one_load(leader: str) -> None:
    cache: Cache[str, int] = Cache(10)
    calls: list[int] = []
    started, release = threading.Event(), threading.Event()

    def load() -> int:
        calls.append(1)
        started.set()
        assert release.wait(WAIT)
        return 42

    async def load_elsewhere() -> int:
        return await asyncio.to_thread(load)

    async def ask() -> list[int]:
        return await asyncio.gather(*(cache.aget_or_load("k", load_elsewhere) for _ in range(20)))

    with ThreadPoolExecutor(13) as pool:
        first = pool.submit(cache.get_or_load, "k", load) if leader == "thread" else pool.submit(asyncio.run, ask())
        assert started.wait(WAIT)
        threads = [pool.submit(cache.get_or_load, "k", load) for _ in range(10)]
        loops = [pool.submit(asyncio.run, ask()) for _ in range(2)]
        until(lambda: cache.stats().misses == 50 + (1 if leader == "thread" else 20))
        release.set()

        assert [thread.result(WAIT) for thread in threads] == [42] * 10
        assert [loop.result(WAIT) for loop in loops] == [[42] * 20] * 2
        assert first.result(WAIT) in (42, [42] * 20)
    assert len(calls) == 1


def test_who_missed_just_before_a_load_ended_does_not_load_again() -> None:
    cache: Cache[str, int] = Cache(10)
    join = cache._join

    def join_late(key: str, loop: asyncio.AbstractEventLoop | None) -> object:
        cache._join = join  # type: ignore[method-assign]
        cache.get_or_load(key, lambda: 1)  # another caller's whole load fits in between
        return join(key, loop)

    cache._join = join_late  # type: ignore[method-assign,assignment]

    assert cache.get_or_load("k", lambda: pytest.fail("loaded again")) == 1


def test_a_failing_load_is_called_once_for_all_threads_that_wait() -> None:
    cache: Cache[str, int] = Cache(10)
    calls: list[int] = []
    release = threading.Event()

    def fail() -> int:
        calls.append(1)
        assert release.wait(WAIT)
        raise ZeroDivisionError

    with ThreadPoolExecutor(10) as pool:
        asked = [pool.submit(cache.get_or_load, "k", fail) for _ in range(10)]
        until(lambda: cache.stats().misses == 10)
        release.set()
        assert [type(one.exception(WAIT)) for one in asked] == [ZeroDivisionError] * 10
    assert len(calls) == 1
    with pytest.raises(ZeroDivisionError):
        cache.get_or_load("k", fail)
    assert len(calls) == 2


@pytest.mark.parametrize("raised", [StopIteration, StopAsyncIteration, TimeoutError, ExceptionGroup("", [OSError()])])
async def test_any_exception_of_a_load_ends_the_wait(raised: Exception | type[Exception]) -> None:
    cache: Cache[str, int] = Cache(10)

    def load() -> NoReturn:
        raise raised

    for outcome in await asyncio.gather(*(cache.aget_or_load("k", load) for _ in range(3)), return_exceptions=True):
        assert isinstance(outcome, Exception)
    assert len(cache._loading) == 0


def test_an_async_loader_given_to_the_sync_call_is_refused() -> None:
    cache: Cache[str, object] = Cache(10)

    async def load() -> int:
        return 1

    with pytest.raises(TypeError, match="await aget_or_load"):
        cache.get_or_load("k", load)
    assert "k" not in cache


def test_a_listener_that_raises_keeps_nobody_from_the_loaded_value() -> None:
    def listen(key: str, value: int, cause: Cause) -> None:
        raise ZeroDivisionError

    cache: Cache[str, int] = Cache(1, on_remove=listen)
    cache["other"] = 0

    assert cache.get_or_load("k", lambda: 1) == 1
    assert len(cache._loading) == 0


async def test_none_is_loaded_once() -> None:
    cache: Cache[str, int | None] = Cache(10)

    assert await cache.aget_or_load("k", lambda: None) is None
    assert await cache.aget_or_load("k", lambda: pytest.fail("loaded again")) is None
