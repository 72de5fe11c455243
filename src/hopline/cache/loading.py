"""One load a key, however many wait for it, threads and tasks alike.

The first caller for a key owns its `Load`; the others wait for the same concurrent future, threads by blocking,
tasks through a wake-up on their own loop. An async load runs in a task of its own, so that a caller who is
cancelled (a client that hung up) takes nothing from those who still wait.

A load ends in one of three ways. A value or an exception is for everybody who waited, and an exception is forgotten
with the load. But a load that was itself cancelled (its loop shuts down) or interrupted (Ctrl-C) says nothing about
the key: it is abandoned, and one of those who waited loads in its place.
"""

import asyncio
import os
import threading
from collections.abc import Awaitable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

from hopline.cache.protocol import CacheDeadlock

__all__ = ["Load", "Loads", "finished", "resolve"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Load(Generic[V]):
    """One load under way, owned by the thread, and the loop if there is one, that made it.

    `overtaken` is set, under the cache's lock, when the key is set or deleted meanwhile. The future guards itself;
    `task` is written by the task, before anybody can ask.
    """

    __slots__ = ("_future", "_loop", "_process", "_thread", "overtaken", "task")

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.overtaken = False
        self.task: asyncio.Task[None] | None = None
        self._future: Future[V] = Future()
        self._loop = loop  # None for a plain load
        self._process = os.getpid()
        self._thread = threading.get_ident()

    # -- ending it: once; a second ending is ignored ------------------------------------------------------

    def succeed(self, value: V) -> None:
        """Give `value` to all who wait."""
        if not self._future.done():
            self._future.set_result(value)

    def fail(self, error: Exception) -> None:
        """Give `error` to all who wait."""
        if not self._future.done():
            self._future.set_exception(error)

    def abandon(self) -> None:
        """Say that no answer will come from here."""
        self._future.cancel()

    def disown(self) -> None:
        """Wake those who wait for an orphan."""
        if self._process == os.getpid():  # in a child nobody waits, and the future's lock may be held by nobody
            self.abandon()

    # -- waiting for it -----------------------------------------------------------------------------------

    @property
    def is_done(self) -> bool:
        """Whether it ended, in whichever way."""
        return self._future.done()

    @property
    def is_abandoned(self) -> bool:
        """Whether it ended without an answer."""
        return self._future.cancelled()

    @property
    def is_orphan(self) -> bool:
        """Whether nobody is left to finish it: its loop was closed, or its process forked and this is the child."""
        if self._process != os.getpid():
            return True  # asked first: a thread of the parent may have held the future's own lock as it forked
        return self._loop is not None and self._loop.is_closed() and not self._future.done()

    def result(self) -> V:
        """The value, once it has ended; raises what the load raised."""
        return self._future.result(0)

    def wait(self, key: object) -> None:
        """Block until it has ended. CacheDeadlock where only the calling thread could end it."""
        if not self._future.done() and threading.get_ident() == self._thread:
            raise CacheDeadlock(
                f"this thread would wait for the load of {key!r}, which it has to finish itself; "
                "on an event loop await aget_or_load; a loader can't load its own key"
            )
        woken = threading.Event()
        self._future.add_done_callback(lambda _: woken.set())
        woken.wait()

    async def await_(self, key: object) -> None:
        """Wait on a loop until it has ended; whoever is cancelled here cancels nobody else."""
        if self._future.done():
            return
        mine = self.task is not None and self.task is asyncio.current_task()
        if mine or (self._loop is None and threading.get_ident() == self._thread):
            raise CacheDeadlock(f"the load of {key!r} would wait for itself; a loader can't load its own key")
        loop = asyncio.get_running_loop()
        woken = loop.create_future()
        self._future.add_done_callback(lambda _: _wake(loop, woken))
        await woken


def _wake(loop: asyncio.AbstractEventLoop, woken: "asyncio.Future[None]") -> None:
    """Called on whichever thread ended the load."""
    try:
        loop.call_soon_threadsafe(_set, woken)
    except RuntimeError:
        pass  # the loop is closed: nobody waits there any more


def _set(woken: "asyncio.Future[None]") -> None:
    if not woken.done():  # it is done where the waiter was cancelled
        woken.set_result(None)


class Loads(Generic[K, V]):
    """The loads under way, by key. Guarded by the cache's lock."""

    __slots__ = ("_loads",)

    def __init__(self) -> None:
        self._loads: dict[K, Load[V]] = {}

    def __len__(self) -> int:
        return len(self._loads)

    def get(self, key: K) -> Load[V] | None:
        """The load of `key` that is worth waiting for."""
        load = self._loads.get(key)
        return None if load is None or load.is_orphan else load

    def begin(self, key: K, loop: asyncio.AbstractEventLoop | None) -> Load[V]:
        """A load of `key` that the caller owns, in place of an orphan where there is one."""
        orphan = self._loads.get(key)
        if orphan is not None:
            orphan.disown()
        load: Load[V] = Load(loop)
        self._loads[key] = load
        return load

    def overtake(self, key: K) -> None:
        """Let a load of `key` give its value to those who wait and no further: who comes now starts another."""
        load = self._loads.pop(key, None)
        if load is not None:
            load.overtaken = True

    def overtake_all(self) -> None:
        """Overtake every load."""
        for key in list(self._loads):
            self.overtake(key)

    def end(self, key: K, load: Load[V]) -> None:
        """Forget `load`; where it was overtaken, the place is another's."""
        if self._loads.get(key) is load:
            del self._loads[key]


def finished(value: V) -> Load[V]:
    """A load that has `value` already."""
    load: Load[V] = Load()
    load.succeed(value)
    return load


async def resolve(value: V | Awaitable[V]) -> V:
    """`value`, awaited if it has to be."""
    return await value if isinstance(value, Awaitable) else value
