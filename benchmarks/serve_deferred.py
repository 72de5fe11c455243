"""One worker of the shortener in a process of its own, with nobody who counts the clicks: ingestion deferred.

The whole path of a redirect as `hopline serve` has it (parser, cache, versions, journal, figures), without the
supervisor and the ingester beside it.

    python -m benchmarks.serve_deferred DATA_DIR PORT
"""

import os
import signal
import socket
import sys
import tempfile
from pathlib import Path

from hopline.http import Stop, run_worker
from hopline.shortener.main import create_app, prepare_data
from hopline.shortener.settings import Settings

__all__ = ["main"]


def main(data_dir: str, port: str) -> int:
    """Serve until SIGTERM."""
    flags: dict[str, object] = {"data_dir": data_dir, "port": int(port)}
    settings = Settings.load(flags, os.environ)
    prepare_data(settings)
    line, other_end = socket.socketpair()
    stop = Stop(line)
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with other_end, tempfile.TemporaryDirectory(prefix="hopline-") as run_dir:
        listener = socket.create_server(("127.0.0.1", settings.port), backlog=4096)
        listener.setblocking(False)
        run_worker(create_app(settings, Path(run_dir)), [listener], stop)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
