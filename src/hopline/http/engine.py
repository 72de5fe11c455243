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
from typing import Protocol

from hopline.http.answer import date_line, encode, plain
from hopline.http.app import App
from hopline.http.errors import ProtocolError
from hopline.http.protocol import HTTPStats
from hopline.http.wire import Wire

__all__ = ["Engine", "run_worker"]

log = logging.getLogger("hopline.http")


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
        self._app = app
        self._accepted = 0
        self._refused = 0
        self._timeouts = 0
        self._wires: set[Wire] = set()
        self._servers: list[asyncio.Server] = []
        self._all_gone: asyncio.Future[None] | None = None  # made by drain, set when the last connection goes
        self._timer: asyncio.TimerHandle | None = None
        self._read_clocks()

    def _read_clocks(self) -> None:
        self.now = time.monotonic()
        self.date = date_line(time.time())
        # What ends the head of a raw route's answer: built once a second, not once a request.
        self.end_of_head = self.date + b"\r\n"
        self.last_end_of_head = self.date + b"connection: close\r\n\r\n"

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Run the start-up hooks, then accept."""
        for hook in self._app.startup:
            await hook()
        self._app.engine = self
        self._tick()
        for listener in sockets:
            self._servers.append(await self.loop.create_server(lambda: Wire(self), sock=listener, backlog=4096))

    def _tick(self) -> None:
        self._read_clocks()
        for wire in [wire for wire in self._wires if wire.overdue(self.now)]:
            self._timeouts += 1
            wire.time_out()
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
        if self.draining:
            wire.transport.close()
        elif len(self._wires) > self.limits.connections:
            self._refused += 1
            busy = plain(503, "too many connections; try again in a moment", (("retry-after", "1"),))
            wire.transport.write(encode(busy, self.date, head_only=False, keep_alive=False, http_1_0=False))
            wire.transport.close()

    def lost(self, wire: Wire) -> None:
        """A connection is gone."""
        self._wires.discard(wire)
        if not self._wires and self._all_gone is not None and not self._all_gone.done():
            self._all_gone.set_result(None)

    async def drain(self, timeout: float) -> int:
        """Stop accepting, finish what is under way within `timeout` seconds; how many connections were cut."""
        self.draining = True
        for server in self._servers:
            server.close()
        await asyncio.sleep(0)  # who has just been accepted still comes in
        for wire in list(self._wires):
            wire.drain()
        if self._wires:
            self._all_gone = self.loop.create_future()
            await asyncio.wait([self._all_gone], timeout=timeout)
        cut = len(self._wires)
        cancelled = [wire.task for wire in self._wires if wire.task is not None]
        for wire in list(self._wires):
            wire.transport.abort()
        await asyncio.sleep(0)  # lets connection_lost run, which cancels what still works
        if cancelled:
            await asyncio.wait(cancelled, timeout=1.0)
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
        return HTTPStats(
            connections=len(self._wires),
            accepted=self._accepted,
            requests=self.requests,
            raw_requests=self.raw_requests,
            handler_errors=self.dispatcher.handler_errors,
            protocol_errors=self.protocol_errors,
            timeouts=self._timeouts,
            refused=self._refused,
        )


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
) -> None:
    """Serve `app` on `sockets` until `stop`, then drain. Calls `ready` once connections are accepted."""

    async def work() -> None:
        loop = asyncio.get_running_loop()
        engine = Engine(app, loop)
        await engine.start(sockets)
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
