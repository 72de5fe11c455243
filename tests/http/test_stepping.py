"""A coroutine runs without a task until it waits, and can't tell the difference."""

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import pytest

from hopline.http.stepping import start

T = TypeVar("T")
colour: contextvars.ContextVar[str] = contextvars.ContextVar("colour", default="none")


def outside_a_task(coroutine: Coroutine[Any, Any, T]) -> T | asyncio.Task[T]:
    """Start `coroutine` where the server does: in a callback of the loop. Runs until it has ended."""
    loop = asyncio.new_event_loop()
    started: asyncio.Future[T | asyncio.Task[T]] = loop.create_future()

    def step() -> None:
        try:
            started.set_result(start(coroutine, loop))
        except BaseException as error:  # noqa: BLE001 - handed to the test
            started.set_exception(error)

    try:
        loop.call_soon(step)
        result = loop.run_until_complete(started)
        if isinstance(result, asyncio.Task):
            loop.run_until_complete(asyncio.wait([result]))
        return result
    finally:
        loop.close()


def value_of(started: T | asyncio.Task[T]) -> T:
    return started.result() if isinstance(started, asyncio.Task) else started


def test_what_never_waits_makes_no_task() -> None:
    async def answer() -> int:
        return 42

    assert outside_a_task(answer()) == 42


def test_what_waits_is_finished_by_a_task() -> None:
    async def answer() -> int:
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        return 42

    started = outside_a_task(answer())

    assert isinstance(started, asyncio.Task)
    assert started.result() == 42


def test_errors_of_the_first_step_and_of_later_ones_come_through() -> None:
    async def at_once() -> None:
        raise KeyError("now")

    async def later() -> None:
        await asyncio.sleep(0)
        raise KeyError("later")

    with pytest.raises(KeyError, match="now"):
        outside_a_task(at_once())
    with pytest.raises(KeyError, match="later"):
        value_of(outside_a_task(later()))


def test_a_timeout_entered_in_the_first_step_fires_in_the_task() -> None:
    async def slow() -> str:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(10)
        except TimeoutError:
            return "in time"
        return "too late"

    assert value_of(outside_a_task(slow())) == "in time"


def test_a_task_group_entered_in_the_first_step_works() -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise KeyError("child")

    async def group() -> str:
        try:
            async with asyncio.TaskGroup() as children:
                children.create_task(fail())
                await asyncio.sleep(10)
        except* KeyError:
            pass
        return "survived"

    assert value_of(outside_a_task(group())) == "survived"


def test_waiting_for_with_a_timeout_works_in_the_first_step() -> None:
    async def wait() -> str:
        return await asyncio.wait_for(asyncio.sleep(0.001, "done"), 5)

    assert value_of(outside_a_task(wait())) == "done"


def test_the_context_is_the_coroutines_own_throughout() -> None:
    async def paint() -> str:
        colour.set("red")
        await asyncio.sleep(0)
        return colour.get()

    assert value_of(outside_a_task(paint())) == "red"
    assert colour.get() == "none"


def test_cancelling_the_task_reaches_the_coroutine() -> None:
    seen: list[str] = []

    async def wait() -> None:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def main() -> None:
        loop = asyncio.get_running_loop()
        made: asyncio.Future[Any] = loop.create_future()
        loop.call_soon(lambda: made.set_result(start(wait(), loop)))
        task = await made
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(main())

    assert seen == ["cancelled"]


def test_the_current_task_is_one_and_the_same_to_the_end() -> None:
    """Scopes that remember whose they are (anyio's) refuse to be left by another task than entered them."""
    seen: list[object] = []

    async def answer() -> None:
        with anyio.CancelScope() as outer, anyio.move_on_after(0.01) as inner:
            seen.append(asyncio.current_task())
            await asyncio.sleep(0)
            seen.append(asyncio.current_task())
            await anyio.to_thread.run_sync(lambda: None)
            await anyio.sleep(10)
        assert inner.cancelled_caught
        assert not outer.cancelled_caught
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 0.001)
        seen.append(asyncio.current_task())

    value_of(outside_a_task(answer()))
    assert len(seen) == 3
    assert len(set(map(id, seen))) == 1
