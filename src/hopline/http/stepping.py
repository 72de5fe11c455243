"""Running a coroutine without a task, until it really waits.

Most async handlers answer without ever suspending, and a task costs 5 µs before the first line runs. So a
coroutine's first step is taken by hand; only what is left after a real suspension goes into a task.

During that first step `asyncio.current_task()` is a stand-in, since asyncio.timeout(), TaskGroup and others
ask for it: it remembers what is asked of it and passes everything on to the task once there is one. The
step runs in a context of its own, as a task's would.
"""

import asyncio
import contextvars
from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

__all__ = ["start"]

T = TypeVar("T")


class _StandIn:
    """What `current_task()` answers during a first step: the part of a Task that code inside one uses."""

    # `__weakref__` because asyncio and others keep tasks in weak collections.
    __slots__ = ("__weakref__", "_cancel_message", "_cancels", "task")

    def __init__(self) -> None:
        self.task: asyncio.Task[Any] | None = None
        self._cancels = 0
        self._cancel_message: Any = None

    def cancel(self, msg: Any = None) -> bool:
        if self.task is not None:
            return self.task.cancel(msg)
        self._cancels += 1
        self._cancel_message = msg
        return True

    def cancelling(self) -> int:
        return self._cancels if self.task is None else self.task.cancelling()

    def uncancel(self) -> int:
        if self.task is not None:
            return self.task.uncancel()
        self._cancels = max(0, self._cancels - 1)
        return self._cancels

    def done(self) -> bool:
        return self.task is not None and self.task.done()

    def get_name(self) -> str:
        return "first step" if self.task is None else self.task.get_name()

    def become(self, task: asyncio.Task[Any]) -> None:
        """From now on `task` is meant."""
        self.task = task
        for _ in range(self._cancels):
            task.cancel(self._cancel_message)


class _Rest(Generic[T]):
    """An awaitable for what is left of a coroutine that has already yielded once."""

    __slots__ = ("_coroutine", "_yielded")

    def __init__(self, coroutine: Coroutine[Any, Any, T], yielded: Any) -> None:
        self._coroutine = coroutine
        self._yielded = yielded

    def __await__(self) -> Generator[Any, Any, T]:
        coroutine = self._coroutine
        yielded = self._yielded
        try:
            while True:
                try:
                    value = yield yielded
                except GeneratorExit:
                    coroutine.close()
                    raise
                except BaseException as error:  # noqa: BLE001 - whatever it is, it is the coroutine's
                    yielded = coroutine.throw(error)
                else:
                    yielded = coroutine.send(value)
        except StopIteration as stop:
            result: T = stop.value
            return result


async def _finish(rest: _Rest[T]) -> T:
    return await rest


def start(coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> T | asyncio.Task[T]:
    """Step `coroutine`; its result if it never waited, else the task that finishes it.

    What the coroutine raises in its first step is raised here. Call it from a callback of `loop`, where no
    task is current.
    """
    context = contextvars.copy_context()
    stand_in = _StandIn()
    # The documented hooks for other implementations of Task; they accept any object in the task's place.
    asyncio.tasks._enter_task(loop, stand_in)  # type: ignore[arg-type]
    try:
        yielded = context.run(coroutine.send, None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        asyncio.tasks._leave_task(loop, stand_in)  # type: ignore[arg-type]
    task: asyncio.Task[T] = loop.create_task(_finish(_Rest(coroutine, yielded)), context=context)
    stand_in.become(task)
    return task
