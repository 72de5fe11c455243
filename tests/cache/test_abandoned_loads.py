"""Loads that are cancelled, interrupted or can't end: nobody hangs, and who still waits gets a value."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from hopline.cache import Cache, CacheDeadlock
from tests.cache.polling import WAIT, until


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


async def test_a_load_goes_on_when_every_caller_is_cancelled() -> None:
    cache: Cache[str, int] = Cache(10)
    gate = asyncio.Event()

    async def load() -> int:
        await gate.wait()
        return 42

    unheard: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, about: unheard.append(about))
    callers = [asyncio.ensure_future(cache.aget_or_load("k", load)) for _ in range(3)]
    await asyncio.sleep(0)
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    assert all(caller.cancelled() for caller in callers)
    late = asyncio.ensure_future(cache.aget_or_load("k", lambda: pytest.fail("loaded twice")))
    await asyncio.sleep(0)
    gate.set()

    assert await late == 42
    assert unheard == []


def test_a_load_whose_loop_shuts_down_is_made_by_who_waits_in_another_thread() -> None:
    cache: Cache[str, str] = Cache(10)
    stop = threading.Event()

    async def abandon() -> None:
        async def never() -> str:
            await asyncio.Event().wait()
            return "never"

        caller = asyncio.ensure_future(cache.aget_or_load("k", never))
        await asyncio.to_thread(stop.wait, WAIT)
        caller.cancel()

    with ThreadPoolExecutor(2) as pool:
        loop = pool.submit(asyncio.run, abandon())
        until(lambda: len(cache._loading) == 1)
        waiter = pool.submit(cache.get_or_load, "k", lambda: "mine")
        until(lambda: cache.stats().misses == 2)
        stop.set()

        assert waiter.result(WAIT) == "mine"
        loop.result(WAIT)
    assert len(cache._loading) == 0
    assert cache.stats().load_failures == 1


def test_a_load_cancelled_before_its_first_step_leaves_nothing_behind() -> None:
    cache: Cache[str, int] = Cache(10)

    async def run() -> None:
        caller = asyncio.ensure_future(cache.aget_or_load("k", lambda: 1))
        await asyncio.sleep(0)  # the caller has made the load's task, which has not run yet
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.gather(caller, return_exceptions=True)

    asyncio.run(run())

    assert len(cache._loading) == 0
    assert cache.get_or_load("k", lambda: 2) == 2


async def test_a_load_that_cancels_itself_cancels_its_caller_and_the_next_one_loads() -> None:
    cache: Cache[str, int] = Cache(10)
    gate = asyncio.Event()

    async def cancelled() -> int:
        await gate.wait()
        raise asyncio.CancelledError

    first = asyncio.ensure_future(cache.aget_or_load("k", cancelled))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(cache.aget_or_load("k", lambda: 2))
    await asyncio.sleep(0)
    gate.set()

    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second == 2


def test_an_interrupted_load_is_made_by_the_next_in_line() -> None:
    cache: Cache[str, int] = Cache(10)
    release = threading.Event()

    def interrupted() -> int:
        assert release.wait(WAIT)
        raise KeyboardInterrupt

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get_or_load, "k", interrupted)
        until(lambda: len(cache._loading) == 1)
        second = pool.submit(cache.get_or_load, "k", lambda: 2)
        until(lambda: cache.stats().misses == 2)
        release.set()

        assert second.result(WAIT) == 2
        assert isinstance(first.exception(WAIT), KeyboardInterrupt)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a loop closed under its task
def test_a_load_whose_loop_was_closed_under_it_is_made_anew() -> None:
    cache: Cache[str, int] = Cache(10)
    loop = asyncio.new_event_loop()

    async def never() -> int:
        await asyncio.Event().wait()
        return 1

    caller = loop.create_task(cache.aget_or_load("k", never))
    loop.run_until_complete(asyncio.sleep(0))
    load = cache._loading.get("k")
    assert load is not None
    loop.close()

    assert cache.get_or_load("k", lambda: 2) == 2
    assert load.is_abandoned
    caller._log_destroy_pending = False  # type: ignore[attr-defined]
    assert load.task is not None
    load.task._log_destroy_pending = False  # type: ignore[attr-defined]


async def test_an_async_loader_that_loads_its_own_key_raises_instead_of_hanging() -> None:
    cache: Cache[str, int] = Cache(10)

    async def load() -> int:
        return await cache.aget_or_load("k", lambda: 1)

    with pytest.raises(CacheDeadlock, match="'k'"):
        await asyncio.wait_for(cache.aget_or_load("k", load), WAIT)


def test_a_loop_run_inside_a_loader_of_the_same_key_raises_instead_of_hanging() -> None:
    cache: Cache[str, int] = Cache(10)

    with pytest.raises(CacheDeadlock, match="'k'"):
        cache.get_or_load("k", lambda: asyncio.run(cache.aget_or_load("k", lambda: 1)))


async def test_a_sync_call_on_a_loop_may_wait_for_another_threads_load() -> None:
    cache: Cache[str, int] = Cache(10)
    started = threading.Event()
    on_loop = threading.Event()

    def load() -> int:
        started.set()
        assert on_loop.wait(WAIT)
        return 42

    with ThreadPoolExecutor(1) as pool:
        pool.submit(cache.get_or_load, "k", load)
        await asyncio.to_thread(started.wait, WAIT)
        threading.Timer(0.01, on_loop.set).start()

        assert cache.get_or_load("k", lambda: 1) == 42
