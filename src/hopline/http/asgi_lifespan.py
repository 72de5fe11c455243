"""The lifespan of a hosted ASGI application: told of its worker's start and stop, with a `state` to fill."""

import asyncio
import logging
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, Final

from hopline.http.errors import HTTPServerError

if TYPE_CHECKING:
    from hopline.http.asgi_host import ASGIApp

__all__ = ["Lifespan", "LifespanFailed"]

log = logging.getLogger("hopline.http")
STARTUP_TIMEOUT: Final = 300.0  # seconds
SHUTDOWN_TIMEOUT: Final = 5.0


class LifespanFailed(HTTPServerError):
    """The application said that it can't start, or did not get ready in time."""


class Lifespan:
    """One application's lifespan, in a task of its own from start-up to shutdown. Lives on the worker's loop."""

    def __init__(self, application: "ASGIApp") -> None:
        self.state: dict[str, Any] = {}
        self._application = application
        self._sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue(2)
        self._outcome: asyncio.Future[str] | None = None
        self._task: asyncio.Task[None] | None = None
        self._received = False

    async def startup(self) -> None:
        """Have the application start. LifespanFailed if it can't; one that knows no lifespan is left alone."""
        loop = asyncio.get_running_loop()
        self._outcome = loop.create_future()
        self._task = loop.create_task(self._run())
        self._sent.put_nowait({"type": "lifespan.startup"})
        try:
            failure = await asyncio.wait_for(asyncio.shield(self._outcome), STARTUP_TIMEOUT)
        except TimeoutError:
            self._task.cancel()
            failure = f"lifespan.startup was not completed in {STARTUP_TIMEOUT:.0f} s"
        if failure:
            raise LifespanFailed(f"the ASGI application could not start: {failure.strip()}")

    async def shutdown(self) -> None:
        """Have it stop, within a bounded time; its failure is logged."""
        if self._task is None or self._task.done():
            return
        self._outcome = asyncio.get_running_loop().create_future()
        self._sent.put_nowait({"type": "lifespan.shutdown"})
        await asyncio.wait([self._outcome], timeout=SHUTDOWN_TIMEOUT)  # the end of the task settles it, too
        if not self._outcome.done():
            log.error("lifespan.shutdown was not completed in %.1f s", SHUTDOWN_TIMEOUT)
        elif self._outcome.result():
            log.error("the ASGI application's shutdown failed: %s", self._outcome.result())
        _, late = await asyncio.wait([self._task], timeout=1.0)
        if late:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=1.0)

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._application(scope, self._receive, self._send)
        except Exception:
            if self._received:
                log.exception("the lifespan of an ASGI application failed")
        finally:
            self._settle("")  # one that returns or raises without a word does without lifespan

    async def _receive(self) -> dict[str, Any]:
        self._received = True
        return await self._sent.get()

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        kind = message["type"]
        if kind in ("lifespan.startup.complete", "lifespan.shutdown.complete"):
            self._settle("")
        elif kind in ("lifespan.startup.failed", "lifespan.shutdown.failed"):
            self._settle(message.get("message") or "it gave no reason")
        else:
            raise HTTPServerError(f"message {kind!r} is not one of lifespan")

    def _settle(self, failure: str) -> None:
        if self._outcome is not None and not self._outcome.done():
            self._outcome.set_result(failure)
