"""The promises that both faces of a pair keep; the sync half of this suite is generated."""

import pytest

from hopline._concurrency import AsyncEvent, AsyncLock, async_sleep, async_spawn

LONG = 30.0  # a bound for what must happen
SHORT = 0.01  # for what must not


async def test_lock_lets_one_in_at_a_time() -> None:
    lock = AsyncLock()
    inside: list[int] = []
    most = 0

    async def work() -> None:
        nonlocal most
        for _ in range(25):
            async with lock:
                inside.append(1)
                most = max(most, len(inside))
                await async_sleep(0)
                inside.pop()

    handles = [async_spawn(work, f"worker {number}") for number in range(4)]
    for handle in handles:
        assert await handle.join(LONG)

    assert most == 1
    assert not lock.locked()


@pytest.mark.parametrize("timeout", [0, -1, SHORT])
async def test_acquire_answers_false_when_time_runs_out_and_takes_nothing(timeout: float) -> None:
    lock = AsyncLock()
    assert await lock.acquire()

    assert not await lock.acquire(timeout)
    lock.release()

    assert not lock.locked()
    assert await lock.acquire(timeout)


async def test_waiter_gets_the_lock_when_it_is_released() -> None:
    lock = AsyncLock()
    await lock.acquire()
    got: list[bool] = []

    async def wait() -> None:
        got.append(await lock.acquire(LONG))

    handle = async_spawn(wait, "waiter")
    assert not await handle.join(SHORT)
    lock.release()

    assert await handle.join(LONG)
    assert got == [True]
    assert lock.locked()


async def test_releasing_a_free_lock_is_an_error() -> None:
    with pytest.raises(RuntimeError):
        AsyncLock().release()


async def test_event_wakes_everyone_who_waits() -> None:
    event = AsyncEvent()
    woken: list[bool] = []

    async def wait() -> None:
        woken.append(await event.wait(LONG))

    handles = [async_spawn(wait, f"waiter {number}") for number in range(3)]
    assert not await handles[0].join(SHORT)
    event.set()

    for handle in handles:
        assert await handle.join(LONG)
    assert woken == [True, True, True]


@pytest.mark.parametrize("timeout", [0, -1, SHORT])
async def test_wait_answers_whether_the_flag_is_up(timeout: float) -> None:
    event = AsyncEvent()

    assert not await event.wait(timeout)
    event.set()
    assert await event.wait(timeout)
    event.clear()
    assert not await event.wait(timeout)


async def test_join_raises_what_the_function_raised_each_time_it_is_asked(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail() -> None:
        raise ValueError("no luck")

    handle = async_spawn(fail, "hopeless")

    for _ in range(2):
        with pytest.raises(ValueError, match="no luck"):
            await handle.join(LONG)
    assert "hopeless failed" in caplog.text


async def test_join_gives_up_after_its_timeout_and_the_function_runs_on() -> None:
    event = AsyncEvent()

    async def wait() -> None:
        await event.wait(LONG)

    handle = async_spawn(wait, "patient")
    for timeout in (0, SHORT):
        assert not await handle.join(timeout)

    event.set()
    assert await handle.join()
