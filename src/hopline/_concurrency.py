"""Pairs of sync and async primitives with equal interfaces: what waits, waits through one of these.

Code in an `_async/` folder uses the right-hand name and tools/unasync.py writes the left-hand one, so neither
face needs an `if`:

    Lock    AsyncLock      exclusion                    sleep   async_sleep
    Event   AsyncEvent     one bit that can be awaited  spawn   async_spawn

A wait takes `timeout` in seconds, None for as long as it takes, and answers whether it got what it waited
for: running out of time is an answer, not an error. A cancelled wait changes nothing: no lock is kept, no
wake-up is swallowed. An async face belongs to one event loop; only sync ones are shared between threads.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable

from hopline.clock import Clock

__all__ = [
    "AsyncEvent",
    "AsyncHandle",
    "AsyncLock",
    "Deadline",
    "Event",
    "Handle",
    "Lock",
    "async_sleep",
    "async_spawn",
    "sleep",
    "spawn",
]

log = logging.getLogger("hopline")


class Deadline:
    """A moment by which several waits together must be over; each is given what `remaining()` says.

    Reads the clock when it is made. Without a timeout it never comes.
    """

    __slots__ = ("_clock", "_end")

    def __init__(self, timeout: float | None, clock: Clock) -> None:
        self._clock = clock
        self._end = None if timeout is None else clock.monotonic() + timeout

    def remaining(self) -> float | None:
        """Seconds left, never below 0; None where there is no end."""
        return None if self._end is None else max(0.0, self._end - self._clock.monotonic())

    def expired(self) -> bool:
        """Whether nothing is left."""
        return self._end is not None and self._clock.monotonic() >= self._end


class Lock:
    """Mutual exclusion of threads. Not re-entrant."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def acquire(self, timeout: float | None = None) -> bool:
        """Take the lock; False if `timeout` passed first. 0 asks without waiting."""
        return self._lock.acquire(timeout=-1 if timeout is None else max(0.0, timeout))

    def release(self) -> None:
        """Give the lock back; RuntimeError if it is not held."""
        self._lock.release()

    def locked(self) -> bool:
        """Whether anyone holds it."""
        return self._lock.locked()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class AsyncLock(asyncio.Lock):
    """Mutual exclusion of tasks, first come first served. Not re-entrant."""

    async def acquire(self, timeout: float | None = None) -> bool:  # type: ignore[override] # it may say False
        """Take the lock; False if `timeout` passed first. 0 asks without waiting."""
        if timeout is not None and timeout <= 0 and self.locked():
            return False
        try:
            # A timer that fires together with release() cancels super().acquire(), which wakes the next.
            async with asyncio.timeout(timeout):
                return await super().acquire()
        except TimeoutError:
            return False


Event = threading.Event
"""A flag that threads can wait for: set(), clear(), is_set(), wait(timeout) -> bool."""


class AsyncEvent(asyncio.Event):
    """A flag that tasks can wait for."""

    async def wait(self, timeout: float | None = None) -> bool:  # type: ignore[override] # it may say False
        """Wait for the flag; False if `timeout` passed first. 0 asks without waiting."""
        if timeout is not None and timeout <= 0:
            return self.is_set()
        try:
            async with asyncio.timeout(timeout):
                return await super().wait()
        except TimeoutError:
            return self.is_set()


sleep = time.sleep
async_sleep = asyncio.sleep


class Handle:
    """A thread that `spawn` started. Nothing stops it from outside: tell it to end by an Event, then join."""

    __slots__ = ("_error", "_function", "_thread")

    def __init__(self, function: Callable[[], None], name: str) -> None:
        self._error: Exception | None = None
        self._function = function
        # A daemon: a thread that nobody joined must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def _run(self) -> None:
        try:
            self._function()
        except Exception as error:
            log.exception("%s failed", self._thread.name)  # in case that nobody joins
            self._error = error

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end, and raise what the function raised; False if `timeout` passed first."""
        self._thread.join(None if timeout is None else max(0.0, timeout))
        if self._error is not None:
            raise self._error
        return not self._thread.is_alive()


class AsyncHandle:
    """A task that `async_spawn` started. Tell it to end by an AsyncEvent, then join; joins cancel nothing."""

    __slots__ = ("_task",)

    def __init__(self, task: asyncio.Task[Exception | None]) -> None:
        self._task = task

    async def join(self, timeout: float | None = None) -> bool:
        """Wait for the end, and raise what the function raised; False if `timeout` passed first."""
        # asyncio.wait, unlike wait_for and a plain await, leaves the task alone when the waiter is cancelled.
        await asyncio.wait({self._task}, timeout=timeout)
        if not self._task.done():
            return False
        error = None if self._task.cancelled() else self._task.result()
        if error is not None:
            raise error
        return True


def spawn(function: Callable[[], None], name: str) -> Handle:
    """Run `function` in a thread; an error in it is logged, and raised by join()."""
    handle = Handle(function, name)
    handle._thread.start()
    return handle


def async_spawn(function: Callable[[], Awaitable[None]], name: str) -> AsyncHandle:
    """Run `function` in a task; an error in it is logged, and raised by join()."""

    async def run() -> Exception | None:
        try:
            await function()
        except Exception as error:
            log.exception("%s failed", name)  # in case that nobody joins
            return error
        return None

    return AsyncHandle(asyncio.create_task(run(), name=name))
