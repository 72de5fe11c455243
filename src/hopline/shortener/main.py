"""The shortener, put together: the only place where backends are built and parts meet.

`run` is the server: a supervisor, worker processes, and the ingester. `create_app` is one worker's application, and
can be served by anything that serves an App.
"""

import asyncio
import logging
import os
import socket
import sqlite3
import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from hopline.cache import Cache
from hopline.clock import SystemClock
from hopline.http import App, Companion, Request, Response, Stop, serve
from hopline.metrics import Snapshot, SnapshotServer, from_stats
from hopline.shortener.access import Access, ApiKeys, SessionSigner
from hopline.shortener.api import register_api
from hopline.shortener.clicks.facts import FactFinder
from hopline.shortener.clicks.ingest import Ingester
from hopline.shortener.clicks.journal import Journal
from hopline.shortener.clicks.sqlite import SqliteClickStore
from hopline.shortener.clicks.visitors import Visitors
from hopline.shortener.dashboard import register_dashboard
from hopline.shortener.data_folder import DataFolder, DataFolderError
from hopline.shortener.health import Health, register_health
from hopline.shortener.links.service import LinkService
from hopline.shortener.links.sqlite import SqliteLinkStore
from hopline.shortener.links.sqlite_rows import CodeTaste, prepare
from hopline.shortener.links.versions import VersionTable
from hopline.shortener.notices import notice
from hopline.shortener.redirect import Redirects, Target
from hopline.shortener.settings import Settings

__all__ = ["create_app", "prepare_data", "run"]

log = logging.getLogger("hopline.shortener")
_ROBOTS = "User-agent: *\nDisallow: /dashboard\nDisallow: /api\n"


class _Parts:
    """The backends of one worker process: opened when it starts, closed when it ends, last opened first."""

    def __init__(self, settings: Settings, run_dir: Path | None) -> None:
        folder = DataFolder(settings.data_dir)
        clock = SystemClock()
        self.versions = VersionTable(folder.versions)
        taste = CodeTaste(settings.avoid_lookalikes, settings.avoid_rude)
        self.store = SqliteLinkStore(folder.links_db, self.versions, taste=taste, clock=clock)
        self.clicks = SqliteClickStore(folder.clicks_db)
        self.journal = Journal(folder.journal, settings.journal_segment_bytes, clock)
        self.visitors = Visitors(settings.data_dir, settings.geoip_db, clock)
        self.keys = ApiKeys(folder.links_db, clock)
        self.access = Access(self.keys, SessionSigner(folder.secret(), clock), clock)
        self.service = LinkService(self.store, self.clicks, settings, clock)
        self.cache: Cache[bytes, Target] = Cache(settings.code_cache_size, settings.cache_ttl, clock=clock)
        self.redirects = Redirects(self.cache, self.store, self.versions, self.journal, self.visitors)
        self._figures = None if run_dir is None else SnapshotServer(run_dir, f"worker-{os.getpid()}", self.snapshot)
        self.app: App | None = None

    async def open(self) -> None:
        """Open all, in the order in which they need each other."""
        self.versions.open()
        await self.store.open()
        await asyncio.to_thread(self.journal.open)
        self.visitors.open()
        self.redirects.open()
        if self._figures is not None:
            self._figures.open()

    async def close(self) -> None:
        """Close all; each also where another one failed."""
        if self._figures is not None:
            self._figures.close()
        self.visitors.close()
        await asyncio.to_thread(self.journal.close)
        await self.store.close()
        await self.clicks.close()
        self.keys.close()
        self.redirects.close()
        self.versions.close()

    def snapshot(self) -> Snapshot:
        """This worker's figures."""
        samples = from_stats("hopline_redirect", self.redirects.stats())
        samples += from_stats("hopline_cache", self.cache.stats())
        samples += from_stats("hopline_links", self.store.stats())
        samples += from_stats("hopline_journal", self.journal.stats())
        engine = self.app.engine if self.app is not None else None
        if engine is not None:
            samples += engine.snapshot()
        return samples


def create_app(settings: Settings, run_dir: Path | None = None) -> App:
    """One worker's application. `prepare_data` must have been called for the data folder, by this or another process.

    `run_dir` is where the processes of one server ask each other for figures; None for a process of its own.
    """
    parts = _Parts(settings, run_dir)
    app = App()
    parts.app = app
    app.on_startup(parts.open)
    app.on_shutdown(parts.close)
    app.raw(parts.redirects.raw)
    app.on_error("", notice)
    register_api(app, parts.service, parts.access)
    register_dashboard(app, parts.service, parts.access, settings)
    register_health(app, Health(parts.store, parts.journal.stats, parts.snapshot, run_dir))
    app.get("/")(_home)
    app.get("/robots.txt")(_robots)
    app.get("/{code:path}")(parts.redirects.follow)
    return app


def _home(request: Request) -> Response:
    return Response.redirect("/dashboard", 302)


def _robots(request: Request) -> Response:
    return Response(_ROBOTS)


def prepare_data(settings: Settings) -> str | None:
    """Make the tables and the first key; its secret where it was made now. Before any worker, and once a start."""
    folder = DataFolder(settings.data_dir)
    folder.open()
    try:
        prepare(folder.links_db)
        with ApiKeys(folder.links_db) as keys:
            secret = keys.ensure_admin(settings.admin_key)
    except sqlite3.Error as error:
        raise DataFolderError(
            f"{str(folder.links_db)!r} can't be opened: {error}; `hopline doctor` says more, `hopline restore` helps"
        ) from error
    folder.secret()
    with VersionTable(folder.versions) as versions:
        versions.repair()
    return secret


def _ingest(settings: Settings, run_dir: Path, stop: Stop) -> None:
    """The ingester process: count clicks until told to stop, then what is left."""
    folder = DataFolder(settings.data_dir)
    own = frozenset(filter(None, [urlsplit(settings.public_url).hostname]))
    ingester = Ingester(folder.journal, folder.clicks_db, finder=FactFinder(own_hosts=own))
    ingester.open()
    try:
        with SnapshotServer(run_dir, f"ingester-{os.getpid()}", lambda: _ingest_figures(ingester)):
            ingester.run(stop)
    finally:
        ingester.close()


def _ingest_figures(ingester: Ingester) -> Snapshot:
    return from_stats("hopline_ingest", ingester.stats())


def run(settings: Settings) -> int:
    """Serve until SIGTERM or Ctrl-C; the exit code. Prints where everything is once it is ready."""
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    if settings.port == 0:
        settings = replace(settings, port=_free_port(settings.host))
    folder = DataFolder(settings.data_dir)
    folder.open()
    folder.lock()
    try:
        others = folder.others() if folder.is_new else []
        secret = prepare_data(settings)
        folder.remember()
        with tempfile.TemporaryDirectory(prefix="hopline-") as run_dir:
            return serve(
                partial(create_app, settings, Path(run_dir)),
                host=settings.host,
                port=settings.port,
                workers=settings.workers,
                companions=[Companion("click ingester", partial(_ingest, settings, Path(run_dir)))],
                shutdown_timeout=settings.shutdown_timeout,
                on_ready=lambda url: _say_ready(settings, secret, others),
            )
    finally:
        folder.close()


def _free_port(host: str) -> int:
    """A port for `--port 0`, chosen before anything needs to know what short URLs begin with."""
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        port: int = probe.getsockname()[1]
        return port


def _say_ready(settings: Settings, secret: str | None, others: list[Path]) -> None:
    """What a person wants to know now, on standard output."""
    lines = [
        "",
        "  Hopline is ready.",
        "",
        f"  Short links   {settings.public_url}/",
        f"  Dashboard     {settings.public_url}/dashboard",
        f"  Data folder   {settings.data_dir}",
    ]
    if secret is not None and secret != settings.admin_key:
        lines += [
            f"  Admin key     {secret}",
            "                shown this once: keep it, the dashboard and the API ask for it",
        ]
    elif secret is not None:
        lines += ["  Admin key     as set in HOPLINE_ADMIN_KEY"]
    if others:
        lines += ["", f"  This data folder is new and empty. There are links in {', '.join(map(str, others))};"]
        lines += ["  to serve those, start with --data-dir and that folder."]
    sys.stdout.write("\n".join([*lines, "", "  Press Ctrl-C to stop.", ""]) + "\n")
    sys.stdout.flush()
