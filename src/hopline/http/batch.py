"""Requests that arrive together, answered by one call: what a model, a bulk query or a remote API does best.

The handler gets a list of requests and gives a list of as many answers in the same order. Each is one of

* a `Response`;
* an exception, which fails this request alone, as if its own handler had raised it;
* an awaitable of a `Response`: what takes longer than its neighbours should wait for. It is awaited by its own request,
  and the place to run is free for the next batch meanwhile.

When a batch starts is the collector's rule (collector.py). A request whose client has gone by then is left out.
"""

import asyncio
import contextvars
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from hopline._histogram import Distribution, Histogram
from hopline.http.collector import BatchLimits, Collector
from hopline.http.errors import HTTPError
from hopline.http.message import Request, Response

__all__ = ["Batch", "BatchHandler", "BatchStats", "Outcome"]

log = logging.getLogger("hopline.http")
Outcome: TypeAlias = Response | Exception | Awaitable[Response]
BatchHandler: TypeAlias = Callable[[list[Request]], Iterable[Outcome] | Awaitable[Iterable[Outcome]]]


@dataclass(frozen=True, slots=True)
class BatchStats:
    """Figures of one batched route in one worker; additive over workers.

    `sizes` counts batches by size: (n, batches of at most n and more than half of that), n being powers of two.
    """

    route: str
    pending: int = field(metadata={"kind": "gauge", "help": "Requests waiting for their batch to start"})
    running: int = field(metadata={"kind": "gauge", "help": "Batches running now"})
    batches: int = field(metadata={"help": "Batches started"})
    requests: int = field(metadata={"help": "Requests that went into a batch"})
    failed: int = field(metadata={"help": "Batches whose handler raised or answered another number of requests"})
    refused: int = field(metadata={"help": "Requests refused with 503 because too many waited"})
    left: int = field(metadata={"help": "Requests whose client had gone before their batch started"})
    waits: Distribution = field(metadata={"help": "How long requests waited for their batch to start"})
    sizes: tuple[tuple[int, int], ...] = ()


class _Item:
    """One request on its way through a batch; told apart by identity."""

    __slots__ = ("outcome", "request")

    def __init__(self, request: Request, outcome: "asyncio.Future[object]") -> None:
        self.request = request
        self.outcome = outcome


class Batch:
    """One batched route in one process. Belongs to its loop's thread; `stats` may be read from any.

    Cancel-safe: a cancelled request leaves the queue, or its place in a batch that runs already stays without an
    answer. `hurry` and `close` are the engine's to call when it drains.
    """

    def __init__(self, route: str, handler: BatchHandler, limits: BatchLimits) -> None:
        self.route = route
        self._handler = handler
        self._limits = limits
        self._collector: Collector[_Item] = Collector(limits)
        # A batch belongs to no single request, so it doesn't run in the context of the one that completed it.
        self._context = contextvars.copy_context()
        self._timer: asyncio.Handle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._waits = Histogram()
        self._sizes = [0] * (limits.max_size.bit_length() + 1)
        self._batches = self._requests = self._failed = self._refused = self._left = 0

    async def handle(self, request: Request) -> Response:
        """Answer `request` as part of a batch. HTTPError 503 where too many wait."""
        item = _Item(request, asyncio.get_running_loop().create_future())
        if not self._collector.add(item, time.monotonic()):
            self._refused += 1
            raise HTTPError(503, "too many requests wait for this; try again in a moment", (("retry-after", "1"),))
        if self._collector.is_full:
            self._start_due()
        else:
            self._arm()
        try:
            outcome = await item.outcome
        except asyncio.CancelledError:
            if self._collector.discard(item):
                self._left += 1
            elif item.outcome.done() and not item.outcome.cancelled():
                _drop(item.outcome.result())
            raise
        return await _answer_of(outcome)

    def _arm(self) -> None:
        """See to it that the next batch starts in time."""
        due = self._collector.due()
        if due is None or self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        left = due - time.monotonic()
        # Never at once: what else arrives in this turn of the loop is company too.
        self._timer = loop.call_later(left, self._on_time) if left > 0 else loop.call_soon(self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        self._start_due()

    def _start_due(self) -> None:
        """Start every batch whose time has come."""
        now = time.monotonic()
        while taken := self._collector.take(now):
            items = [item for item, _ in taken if self._is_wanted(item)]
            if not items:
                self._collector.finished()
                continue
            for _, waited in taken:
                self._waits.record(waited)
            self._batches += 1
            self._requests += len(items)
            self._sizes[(len(items) - 1).bit_length()] += 1
            loop = asyncio.get_running_loop()
            task = loop.create_task(self._run(items), context=self._context.copy())
            self._tasks.add(task)
            task.add_done_callback(lambda done, items=items: self._ended(done, items))  # type: ignore[misc]
        self._arm()

    def _is_wanted(self, item: _Item) -> bool:
        """Whether somebody waits for the answer still."""
        if item.request.disconnected or item.outcome.done():
            item.outcome.cancel()
            self._left += 1
            return False
        return True

    async def _run(self, items: Sequence[_Item]) -> None:
        """One call of the handler, and its answers on their way."""
        try:
            result = self._handler([item.request for item in items])
            outcomes = list(await result if inspect.isawaitable(result) else result)
            if len(outcomes) != len(items):
                for outcome in outcomes:
                    _drop(outcome)
                raise ValueError(f"a batch handler got {len(items)} requests and answered {len(outcomes)}")
        except Exception as error:  # noqa: BLE001 - a handler may raise anything; it fails its batch and nothing else
            outcomes = self._failures(error, len(items))
        for item, outcome in zip(items, outcomes, strict=True):
            if item.outcome.done():
                _drop(outcome)  # its client has gone
            else:
                item.outcome.set_result(outcome)

    def _failures(self, error: Exception, count: int) -> list[Outcome]:
        """What each request of a failed batch gets. The log gets it once."""
        self._failed += 1
        if isinstance(error, HTTPError):  # raised on purpose, and meant for all
            return [HTTPError(error.status, error.detail, error.headers) for _ in range(count)]
        log.error("the batch handler of %r failed with %d requests", self.route, count, exc_info=error)
        return [HTTPError(500, "something went wrong here; the server's log says what") for _ in range(count)]

    def _ended(self, task: "asyncio.Task[None]", items: Sequence[_Item]) -> None:
        """A batch has run, or was cancelled before it could answer."""
        self._tasks.discard(task)
        self._collector.finished()
        for item in items:
            if not item.outcome.done():
                item.outcome.set_result(HTTPError(503, "this was not finished", (("retry-after", "1"),)))
        if not task.cancelled() and task.exception() is not None:
            log.error("bug: a batch of %r broke off", self.route, exc_info=task.exception())
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._start_due()

    def hurry(self) -> None:
        """Start what waits without waiting for company: the server is stopping."""
        self._collector.hurry()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._arm()

    async def close(self, timeout: float = 1.0) -> None:
        """Cancel the batches that run, and wait for their end for at most `timeout` seconds."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=timeout)

    def stats(self) -> BatchStats:
        """This route's figures since the process started."""
        return BatchStats(
            route=self.route,
            pending=len(self._collector),
            running=self._collector.running,
            batches=self._batches,
            requests=self._requests,
            failed=self._failed,
            refused=self._refused,
            left=self._left,
            waits=self._waits.snapshot(),
            sizes=tuple((1 << power, count) for power, count in enumerate(self._sizes) if count),
        )


async def _answer_of(outcome: object) -> Response:
    """The answer in `outcome`, awaited by the request's own task where it takes longer; raises what failed it."""
    if isinstance(outcome, Response):
        return outcome
    if isinstance(outcome, Exception):
        raise outcome
    answer: object = await outcome if inspect.isawaitable(outcome) else outcome
    if not isinstance(answer, Response):
        raise TypeError(f"a batch handler must answer a Response for each request, not {type(answer).__name__}")
    return answer


def _drop(outcome: object) -> None:
    """Nobody will await `outcome`: let a coroutine end and a task be cancelled, as its request would have."""
    if isinstance(outcome, asyncio.Future):
        outcome.cancel()
    elif inspect.iscoroutine(outcome):
        outcome.close()
