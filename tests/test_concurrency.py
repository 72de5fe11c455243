"""What only one face of a pair can promise, cancellation above all, and Deadline."""

import asyncio

import pytest

from hopline._concurrency import AsyncEvent, AsyncHandle, AsyncLock, Deadline, async_spawn
from hopline.clock import ManualClock


async def settle() -> None:
    """Let every callback that is ready run."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("released_first", [True, False])
async def test_lock_goes_to_the_next_waiter_when_one_is_cancelled(released_first: bool) -> None:
    """Also when the cancellation and the lock arrive together."""
    lock = AsyncLock()
    await lock.acquire()
    waiters = [asyncio.create_task(lock.acquire(timeout)) for timeout in (30.0, 30.0)]
    await settle()

    if released_first:
        lock.release()
    waiters[0].cancel()
    if not released_first:
        lock.release()

    assert await asyncio.wait_for(waiters[1], 30)
    assert waiters[0].cancelled()
    assert lock.locked()


async def test_lock_goes_to_the_next_waiter_when_time_runs_out_in_the_same_step() -> None:
    lock = AsyncLock()
    await lock.acquire()
    hurried = asyncio.create_task(lock.acquire(0.001))
    patient = asyncio.create_task(lock.acquire(30))
    await settle()
    loop = asyncio.get_running_loop()
    end = loop.time() + 0.02
    while loop.time() < end:  # hold the loop past the timer, so that it and the release meet in one step
        pass
    lock.release()

    held = [await hurried, patient.done() and await patient]
    if held[0]:
        lock.release()

    assert await asyncio.wait_for(patient, 30)


async def test_cancelled_wait_leaves_the_event_to_others() -> None:
    event = AsyncEvent()
    waiters = [asyncio.create_task(event.wait()) for _ in range(2)]
    await settle()

    waiters[0].cancel()
    event.set()

    assert await asyncio.wait_for(waiters[1], 30)
    with pytest.raises(asyncio.CancelledError):
        await waiters[0]


async def test_cancelling_a_join_leaves_the_joined_task_running() -> None:
    event = AsyncEvent()

    async def wait() -> None:
        await event.wait()

    handle = async_spawn(wait, "joined")
    joiner = asyncio.create_task(handle.join())
    await settle()
    joiner.cancel()
    await asyncio.wait({joiner})

    assert not await handle.join(0)
    event.set()
    assert await handle.join(30)


async def test_join_of_a_cancelled_task_says_that_it_has_ended() -> None:
    """A CancelledError out of join() would look like the joiner's own."""
    task: asyncio.Task[Exception | None] = asyncio.create_task(asyncio.sleep(3600, None))
    handle = AsyncHandle(task)

    task.cancel()

    assert await handle.join(30)


def test_deadline_counts_down_on_the_clock_it_was_given() -> None:
    clock = ManualClock()
    deadline = Deadline(2.0, clock)

    seen = []
    for step in (0.0, 1.5, 0.5, 1.0):
        clock.advance(step)
        seen.append((deadline.remaining(), deadline.expired()))

    assert seen == [(2.0, False), (0.5, False), (0.0, True), (0.0, True)]


def test_deadline_does_not_move_with_the_wall_clock() -> None:
    clock = ManualClock()
    deadline = Deadline(2.0, clock)

    clock.set_time(0)

    assert deadline.remaining() == 2.0


def test_deadline_without_timeout_never_comes() -> None:
    clock = ManualClock()
    deadline = Deadline(None, clock)

    clock.advance(1e9)

    assert deadline.remaining() is None
    assert not deadline.expired()
