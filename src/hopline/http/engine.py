"""A worker process's event loop: accepts on inherited sockets, keeps the time, drains on a stop.

One coarse timer a second serves all connections: it writes the Date field anew and closes who is overdue.
Nothing is armed, cancelled or allocated for time-outs on a request's way.
"""

import asyncio
import gc
import logging
import os
import socket
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from hopline.http.accepting import accept_on
from hopline.http.answer import date_line, encode, plain
from hopline.http.app import App
from hopline.http.batch import BatchStats
from hopline.http.errors import ProtocolError
from hopline.http.figures import ConnectionStats, Figures, RouteStats, connection_stats, samples_of
from hopline.http.phase import Phase
from hopline.http.protocol import HTTPStats
from hopline.http.tls import TLS, Certificates
from hopline.http.trust import TrustedProxies
from hopline.http.wire import Wire
from hopline.metrics import Snapshot, from_stats

__all__ = ["Engine", "run_worker"]

log = logging.getLogger("hopline.http")
ARRIVAL_TURNS: Final = 4  # of the loop, from accepting a connection to knowing it: two in asyncio, one in uvloop


class StopSignal(Protocol):
    """What tells a worker to stop: a readable descriptor, and whether it is time."""

    def fileno(self) -> int: ...
    def is_set(self) -> bool: ...


class Engine:
    """Serves one App on one loop. Belongs to the loop's thread; `stats` may be read from any."""

    def __init__(self, app: App, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.limits = app.limits
        self.raw_handlers = tuple(app.raw_handlers)
        self.dispatcher = app.dispatcher()
        self.draining = False
        self.raw_requests = 0
        self.requests = 0
        self.protocol_errors = 0
        self.broken_rules: dict[str, int] = {}
        self.figures = Figures()
        self._app = app
        self._accepted = 0
        self._refused = 0
        self._timeouts = 0
        self._wires: set[Wire] = set()
        self._servers: list[asyncio.Server] = []
        self._all_gone: asyncio.Future[None] | None = None  # made by drain, set when the last connection goes
        self.scheme = "http"
        self._certificates: Certificates | None = None
        self._late_arrivals = False  # whether connections are on their way for longer than a few turns of the loop
        self._timer: asyncio.TimerHandle | None = None
        self._read_clocks()

    def _read_clocks(self) -> None:
        self.now = time.monotonic()
        self.date = date_line(time.time())
        # What ends the head of a raw route's answer: built once a second, not once a request.
        self.end_of_head = self.date + b"\r\n"
        self.last_end_of_head = self.date + b"connection: close\r\n\r\n"
        if self.draining:
            self.end_of_head = self.last_end_of_head

    async def start(
        self, sockets: Sequence[socket.socket], *, tls: TLS | None = None, proxies: TrustedProxies | None = None
    ) -> None:
        """Run the start-up hooks, then accept: TLS only, with `tls`; behind the PROXY protocol, with `proxies`."""
        if tls is not None:
            self._certificates = Certificates(tls)
            self.scheme = "https"
        self._late_arrivals = tls is not None or proxies is not None
        for hook in self._app.startup:
            await hook()
        self._app.engine = self
        self._read_clocks()
        self._arm_tick()
        for listener in sockets:
            self._servers.append(
                await accept_on(
                    listener,
                    lambda: Wire(self),
                    certificates=self._certificates,
                    proxies=proxies,
                    count_broken=self.count_broken,
                )
            )

    def _tick(self) -> None:
        self._read_clocks()
        if self._certificates is not None:
            self._certificates.refresh()
        self.figures.loop_lag.record(self.now - self._tick_due)
        for wire in [wire for wire in self._wires if wire.overdue(self.now)]:
            self._timeouts += 1
            wire.time_out()
        self._arm_tick()

    def _arm_tick(self) -> None:
        self._tick_due = time.monotonic() + 1.0
        self._timer = self.loop.call_later(1.0, self._tick)

    def is_draining(self) -> bool:
        """Whether the worker is on its way out."""
        return self.draining

    def count_broken(self, error: ProtocolError) -> None:
        """Note that a request broke a rule."""
        self.protocol_errors += 1
        self.broken_rules[error.rule] = self.broken_rules.get(error.rule, 0) + 1

    def opened(self, wire: Wire) -> None:
        """A connection came; refused with 503 where there are too many."""
        self._accepted += 1
        self._wires.add(wire)
        if len(self._wires) > self.limits.connections:
            self._refused += 1
            busy = plain(503, "too many connections; try again in a moment", (("retry-after", "1"),))
            wire.transport.write(encode(busy, self.date, head_only=False, keep_alive=False, http_1_0=False))
            wire.transport.close()

    def lost(self, wire: Wire) -> None:
        """A connection is gone."""
        self._wires.discard(wire)
        self.figures.used_connections += wire.was_used
        if not self._wires and self._all_gone is not None and not self._all_gone.done():
            self._all_gone.set_result(None)

    async def drain(self, timeout: float) -> int:
        """Stop accepting, finish what is under way within `timeout` seconds; how many connections were cut.

        A client may be about to send on a connection that is idle here, and HTTP/1.1 has no word to prevent that. So
        idle ones are kept for `Limits.drain_grace`: who asks within it is answered, and told to connect anew. Then
        they are half-closed, for as long again: a request that crosses that finds an end, not a reset.
        """
        self.draining = True
        self._read_clocks()
        deadline = self.loop.time() + timeout
        for batch in self._app.batches:
            batch.hurry()
        for server in self._servers:
            server.close()
        for _ in range(ARRIVAL_TURNS):
            await asyncio.sleep(0)
        if self._late_arrivals:
            await asyncio.sleep(min(self.limits.drain_grace, timeout))
        else:
            await self._until_all_gone(deadline, self.limits.drain_grace)
        idle = [wire for wire in list(self._wires) if wire.drain()]
        await self._until_all_gone(deadline, self.limits.drain_grace if idle else 0.0)
        for wire in idle:
            wire.transport.abort()
        await self._until_all_gone(deadline, timeout)
        return await self._end()

    async def _until_all_gone(self, deadline: float, seconds: float) -> None:
        if self._wires:
            self._all_gone = self.loop.create_future()
            await asyncio.wait([self._all_gone], timeout=max(0.0, min(seconds, deadline - self.loop.time())))

    async def _end(self) -> int:
        """Cut what is left, and run the shutdown hooks."""
        cut = sum(wire.phase != Phase.CLOSING for wire in self._wires)  # those have been answered whole
        cancelled = [wire.task for wire in self._wires if wire.task is not None]
        for wire in list(self._wires):
            wire.transport.abort()
        await asyncio.sleep(0)  # lets connection_lost run, which cancels what still works
        if cancelled:
            await asyncio.wait(cancelled, timeout=1.0)
        for batch in self._app.batches:
            await batch.close()
        if self._timer is not None:
            self._timer.cancel()
        for hook in reversed(self._app.shutdown):
            try:
                await hook()
            except Exception:
                log.exception("a shutdown hook failed")
        return cut

    def stats(self) -> HTTPStats:
        """This worker's figures since it started."""
        wires = list(self._wires)
        return HTTPStats(
            connections=len(wires),
            accepted=self._accepted,
            requests=self.requests,
            raw_requests=self.raw_requests,
            handler_errors=self.dispatcher.handler_errors,
            protocol_errors=self.protocol_errors,
            timeouts=self._timeouts,
            refused=self._refused,
            used=self.figures.used_connections + sum(wire.was_used for wire in wires),
            in_flight=sum(wire.task is not None for wire in wires),
            bytes_in=self.figures.bytes_in,
            bytes_out=self.figures.bytes_out,
            loop_lag=self.figures.loop_lag.snapshot(),
        )

    def route_stats(self) -> list[RouteStats]:
        """Answers and how long they took, by route, method and class of status."""
        return self.figures.route_stats()

    def connection_stats(self) -> list[ConnectionStats]:
        """The connections open now, by phase and age."""
        return connection_stats(list(self._wires), time.monotonic())

    def batch_stats(self) -> list[BatchStats]:
        """Figures of each batched route."""
        return [batch.stats() for batch in self._app.batches]

    def snapshot(self, prefix: str = "hopline_http") -> Snapshot:
        """All figures of this worker as samples, ready to be merged and rendered."""
        rules = list(self.broken_rules.items())
        labelled = samples_of(prefix, self.route_stats(), self.connection_stats(), self.batch_stats(), rules)
        return from_stats(prefix, self.stats()) + labelled


async def _until_stopped(stop: StopSignal, loop: asyncio.AbstractEventLoop) -> None:
    told = asyncio.Event()

    def look() -> None:
        if stop.is_set():
            loop.remove_reader(stop.fileno())
            told.set()

    loop.add_reader(stop.fileno(), look)
    look()
    await told.wait()


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def run_worker(
    app: App,
    sockets: Sequence[socket.socket],
    stop: StopSignal,
    *,
    ready: Callable[[], None] = lambda: None,
    shutdown_timeout: float = 10.0,
    tls: TLS | None = None,
    proxies: TrustedProxies | None = None,
) -> None:
    """Serve `app` on `sockets` until `stop`, then drain. Calls `ready` once connections are accepted."""

    async def work() -> None:
        loop = asyncio.get_running_loop()
        engine = Engine(app, loop)
        await engine.start(sockets, tls=tls, proxies=proxies)
        # What was made at start-up lives as long as the process: take it out of the collector's sight.
        gc.collect()
        gc.freeze()
        ready()
        await _until_stopped(stop, loop)
        cut = await engine.drain(shutdown_timeout)
        if cut:
            log.warning("worker %d cut %d connections that did not end in %.1f s", os.getpid(), cut, shutdown_timeout)

    with asyncio.Runner(loop_factory=_new_loop) as runner:
        runner.run(work())
