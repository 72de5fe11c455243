"""Health and figures: what load balancers, orchestrators and Prometheus ask for.

`/health/live` says that the process answers. `/health/ready` says whether to send it traffic, role by role: a node
that can redirect from memory stays ready while its database is away, and says "degraded". `/metrics` asks every
process of this server and adds up; it needs no key, so keep it from the public at the proxy where counts are secret.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from hopline import __version__
from hopline.http import App, Request, Response
from hopline.metrics import CONTENT_TYPE, Sample, Snapshot, collect, render
from hopline.shortener.clicks.journal import JournalStats
from hopline.shortener.links.link import StoreUnavailable
from hopline.shortener.links.protocol import LinkStore

__all__ = ["Health", "register_health"]

PROBE_SECONDS: Final = 2.0
_PROBE_CODE: Final = "health"  # reserved, so no link ever has it


class Health:
    """The three routes. Belongs to its worker's loop."""

    def __init__(
        self, store: LinkStore, journal: Callable[[], JournalStats], take: Callable[[], Snapshot], run_dir: Path | None
    ) -> None:
        self._store = store
        self._journal = journal
        self._take = take
        self._run_dir = run_dir

    def live(self, request: Request) -> Response:
        """200 while the loop turns."""
        return _answer({"status": "ok", "version": __version__})

    async def ready(self, request: Request) -> Response:
        """200 while this node can redirect, 503 while it can't; "degraded" where something else is amiss."""
        links = await self._links()
        journal = "ok" if self._journal().ready else "no next segment can be made; is the disk full?"
        degraded = links != "ok" or journal != "ok"
        # Links in the cache go on redirecting and clicks are kept, so neither is a reason to send visitors away.
        return _answer({"status": "degraded" if degraded else "ok", "checks": {"links": links, "journal": journal}})

    async def _links(self) -> str:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self._store.get(_PROBE_CODE)
        except TimeoutError:
            return f"no answer in {PROBE_SECONDS} s"
        except StoreUnavailable as error:
            return str(error)
        return "ok"

    async def metrics(self, request: Request) -> Response:
        """The figures of all processes of this server; of this one alone where it runs without a supervisor."""
        snapshot = self._take() if self._run_dir is None else await asyncio.to_thread(collect, self._run_dir)
        about = Sample("hopline_build_info", "gauge", "Version of hopline", 1.0, (("version", __version__),))
        return Response(render([about, *snapshot]), content_type=CONTENT_TYPE, headers=[("cache-control", "no-store")])


def _answer(body: dict[str, object], status: int = 200) -> Response:
    fields = [("cache-control", "no-store")]
    return Response(msgspec.json.encode(body), status, content_type="application/json", headers=fields)


def register_health(app: App, health: Health) -> None:
    """Add the routes."""
    app.get("/health/live")(health.live)
    app.get("/health/ready")(health.ready)
    app.get("/metrics")(health.metrics)
