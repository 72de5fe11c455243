"""Who is measured: ours in two ways, nginx and a Go program, each ready to redirect one path to one URL.

Each is a `with`: entered, it answers; left, its processes are gone and its files removed.
"""

import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import ClassVar, Self

from benchmarks.backlog import uncounted_bytes
from benchmarks.machine import ROOT
from benchmarks.pinned import BenchmarkError, Pinned
from hopline.testing import free_port

__all__ = ["URL", "Contender", "Deferred", "Go", "Nginx", "Sustained", "build_go"]

URL = "https://www.example.com/articles/2026/a-title-of-usual-length?utm_source=newsletter"
DISK = Path("/var/tmp")  # noqa: S108 - a real disk: /tmp may be memory, where a journal costs nothing
MIN_FREE = 4 << 30  # bytes: a run of half a minute writes less than one of these
_NGINX = """\
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 1000000000;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 302 {url}; }} }}
}}
"""


class Contender:
    """One server of a benchmark, on the server's core. Not reusable."""

    name: ClassVar[str]

    def __init__(self) -> None:
        self.port = free_port()
        self.path = "/abc123"
        self.folder = Path()
        self._server: Pinned | None = None

    @property
    def server(self) -> Pinned:
        """Its processes."""
        if self._server is None:
            raise BenchmarkError(f"{self.name} was not started; use `with`")
        return self._server

    def command(self) -> list[str]:
        """How it is started; files it needs go into `self.folder`."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """What is added to its environment."""
        return {}

    def prepare(self) -> None:
        """Make the redirect, once it answers."""

    def __enter__(self) -> Self:
        if shutil.disk_usage(DISK).free < MIN_FREE:
            raise BenchmarkError(f"{DISK} has less than {MIN_FREE >> 30} GiB free; make room first")
        self.folder = Path(tempfile.mkdtemp(prefix="hopline-bench-", dir=DISK))
        try:
            self._server = Pinned(self.command(), self.port, self.environment())
            self._server.start()
            self.prepare()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Nginx(Contender):
    """nginx with `return 302`: the least a redirect can be."""

    name = "nginx"

    def command(self) -> list[str]:
        config = self.folder / "nginx.conf"
        config.write_text(_NGINX.format(folder=self.folder, port=self.port, url=URL))
        return ["nginx", "-c", str(config), "-p", str(self.folder)]


def build_go(folder: Path) -> Path:
    """The Go program, compiled."""
    program = folder / "sketch"
    source = ROOT / "benchmarks" / "peers" / "sketch.go"
    command = ["go", "build", "-o", str(program), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        raise BenchmarkError(f"the Go program did not compile: {done.stderr}")
    return program


class Go(Contender):
    """A shortener as a Go programmer would first write it: a map, a lock, a goroutine a click; nothing is kept."""

    name = "go"
    program = Path()

    def command(self) -> list[str]:
        return [str(self.program), f"127.0.0.1:{self.port}", self.path[1:], URL]

    def environment(self) -> dict[str, str]:
        return {"GOMAXPROCS": "1"}


class Hopline(Contender):
    """Ours, with a link made through the API, and clicks that must add up."""

    def __init__(self) -> None:
        super().__init__()
        self.key = "hop_" + secrets.token_urlsafe(32)

    @property
    def data_dir(self) -> Path:
        """Where its data is, on a real disk."""
        return self.folder / "data"

    def environment(self) -> dict[str, str]:
        return {"HOPLINE_ADMIN_KEY": self.key}

    def prepare(self) -> None:
        made = json.loads(self.ask("/api/v1/links", {"url": URL}))
        if made["url"] != URL:
            raise BenchmarkError(f"{URL!r} is not in its normal form; use {made['url']!r}")
        self.path = "/" + made["short_code"]

    def ask(self, path: str, body: dict[str, str] | None = None) -> bytes:
        """Talk to the API or read the figures."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - as above
            content: bytes = answer.read()
        return content

    def figure(self, name: str) -> int:
        """One number of /metrics."""
        for line in self.ask("/metrics").decode().splitlines():
            if line.startswith((f"{name} ", f"{name}_total ")):
                return round(float(line.split()[-1]))
        raise BenchmarkError(f"/metrics has no {name!r}")

    def redirects(self) -> int:
        """Clicks that the worker has answered, by its own count."""
        return self.figure("hopline_redirect_redirects")

    def dropped(self) -> int:
        """Clicks that were answered and not recorded."""
        return self.figure("hopline_journal_dropped")


class Deferred(Hopline):
    """One worker's full path, clicks into the journal; nobody counts them meanwhile."""

    name = "deferred"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "benchmarks.serve_deferred", str(self.data_dir), str(self.port)]


class Sustained(Hopline):
    """`hopline serve --workers 1`: supervisor, worker and ingester together on the one core."""

    name = "sustained"

    def command(self) -> list[str]:
        hopline = str(Path(sys.executable).with_name("hopline"))
        return [hopline, "serve", "--port", str(self.port), "--workers", "1", "--data-dir", str(self.data_dir)]

    def lag_bytes(self) -> int:
        """Journal bytes that are written and not yet counted."""
        return uncounted_bytes(self.data_dir)

    def counted(self) -> int:
        """Clicks in the statistics of the link."""
        clicks: int = json.loads(self.ask(f"/api/v1/links{self.path}/stats"))["clicks"]
        return clicks
