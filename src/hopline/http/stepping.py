"""Running a coroutine without a task, until it really waits.

Most async handlers answer without ever suspending, and a task costs 5 µs before the first line runs. So a
coroutine's first step is taken by hand; only what is left after a real suspension goes into a task.

From that first step to the end `asyncio.current_task()` is one stand-in, since asyncio.timeout(), TaskGroup, anyio
and others ask for it and some hold it against who leaves: it remembers what is asked of it and passes everything on
to the task once there is one. The step runs in a context of its own, as a task's would.
"""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

__all__ = ["start"]

T = TypeVar("T")


class _StandIn:
    """What `current_task()` answers during a first step: the part of a Task that code inside one uses."""

    # `__weakref__` because asyncio and others keep tasks in weak collections.
    __slots__ = ("__weakref__", "_callbacks", "_cancel_message", "_cancels", "_coroutine", "task")

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.task: asyncio.Task[Any] | None = None
        self._coroutine = coroutine
        self._callbacks: list[Callable[..., object]] = []
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

    def get_coro(self) -> Coroutine[Any, Any, Any]:
        return self._coroutine

    def add_done_callback(self, callback: Callable[..., object], **options: Any) -> None:
        if self.task is not None:
            self.task.add_done_callback(callback, **options)
        else:
            self._callbacks.append(callback)

    @property
    def _must_cancel(self) -> bool:  # anyio looks at it
        return self._cancels > 0 if self.task is None else bool(self.task._must_cancel)  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> Any:
        """What nobody asks for in a first step: the task's."""
        if name == "task" or self.task is None:
            raise AttributeError(name)
        return getattr(self.task, name)

    def become(self, task: asyncio.Task[Any]) -> None:
        """From now on `task` is meant."""
        self.task = task
        for callback in self._callbacks:
            task.add_done_callback(callback)
        self._callbacks.clear()
        for _ in range(self._cancels):
            task.cancel(self._cancel_message)


class _Rest(Generic[T]):
    """An awaitable for what is left of a coroutine that has already yielded once; `stand_in` stays its task."""

    __slots__ = ("_coroutine", "_loop", "_stand_in", "_yielded")

    def __init__(
        self, coroutine: Coroutine[Any, Any, T], yielded: Any, loop: asyncio.AbstractEventLoop, stand_in: _StandIn
    ) -> None:
        self._coroutine = coroutine
        self._yielded = yielded
        self._loop = loop
        self._stand_in = stand_in

    def __await__(self) -> Generator[Any, Any, T]:
        yielded = self._yielded
        try:
            while True:
                try:
                    value = yield yielded
                except GeneratorExit:
                    self._coroutine.close()
                    raise
                except BaseException as error:  # noqa: BLE001 - whatever it is, it is the coroutine's
                    yielded = self._step(self._coroutine.throw, error)
                else:
                    yielded = self._step(self._coroutine.send, value)
        except StopIteration as stop:
            result: T = stop.value
            return result

    def _step(self, step: Callable[[Any], Any], value: Any) -> Any:
        tasks, loop = asyncio.tasks, self._loop
        task = asyncio.current_task(loop)
        tasks._leave_task(loop, task)  # type: ignore[arg-type]
        tasks._enter_task(loop, self._stand_in)  # type: ignore[arg-type]
        try:
            return step(value)
        finally:
            tasks._leave_task(loop, self._stand_in)  # type: ignore[arg-type]
            tasks._enter_task(loop, task)  # type: ignore[arg-type]


async def _finish(rest: _Rest[T]) -> T:
    return await rest


def start(coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> T | asyncio.Task[T]:
    """Step `coroutine`; its result if it never waited, else the task that finishes it.

    What the coroutine raises in its first step is raised here. Call it from a callback of `loop`, where no
    task is current.
    """
    context = contextvars.copy_context()
    stand_in = _StandIn(coroutine)
    # The documented hooks for other implementations of Task; they accept any object in the task's place.
    asyncio.tasks._enter_task(loop, stand_in)  # type: ignore[arg-type]
    try:
        yielded = context.run(coroutine.send, None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        asyncio.tasks._leave_task(loop, stand_in)  # type: ignore[arg-type]
    rest = _Rest(coroutine, yielded, loop, stand_in)
    task: asyncio.Task[T] = loop.create_task(_finish(rest), context=context)
    stand_in.become(task)
    return task
