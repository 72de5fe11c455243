"""One load a key, however many wait for it, threads and tasks alike.

The first caller for a key owns its `Load`; the others wait on the same concurrent future, threads by blocking
on it, tasks through `asyncio.wrap_future`. An async load runs in a task of its own, so that a caller who is
cancelled (a client that hung up) takes nothing from those who still wait. A failure reaches everybody who
waited and is forgotten with the load.
"""

import asyncio
import threading
from collections.abc import Awaitable
from concurrent.futures import Future
from typing import Generic, TypeVar

from hopline.cache.protocol import CacheDeadlock

__all__ = ["Load"]

V = TypeVar("V")


class Load(Generic[V]):
    """One load under way. `overtaken` is set, under the cache's lock, when the key is set or deleted meanwhile."""

    __slots__ = ("_loop", "_thread", "future", "overtaken", "task")

    def __init__(self) -> None:
        self.future: Future[V] = Future()
        self.overtaken = False
        self.task: asyncio.Task[None] | None = None
        self._thread = threading.get_ident()
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

    def wait(self) -> V:
        """Block until the value is here. CacheDeadlock where only the calling thread could bring it."""
        if not self.future.done() and threading.get_ident() == self._thread:
            raise CacheDeadlock(
                "this thread waits for a load that it is itself to finish; "
                "use aget_or_load on an event loop, and don't load a key from its own loader"
            )
        return self.future.result()

    async def await_(self) -> V:
        """Wait on a loop. Cancelling the caller leaves the load alone."""
        if not self.future.done() and self._loop is None and threading.get_ident() == self._thread:
            raise CacheDeadlock("this thread is loading the key in a blocking call; it can't finish while it waits")
        return await asyncio.wrap_future(_Shielded(self.future))


class _Shielded(Future[V]):
    """A follower of another future: cancelling it cancels nobody else."""

    def __init__(self, source: Future[V]) -> None:
        super().__init__()
        source.add_done_callback(self._follow)

    def _follow(self, source: Future[V]) -> None:
        if not self.set_running_or_notify_cancel():
            return
        error = source.exception()
        if error is not None:
            self.set_exception(error)
        else:
            self.set_result(source.result())


async def resolve(value: V | Awaitable[V]) -> V:
    """`value`, awaited if it has to be."""
    return await value if isinstance(value, Awaitable) else value
