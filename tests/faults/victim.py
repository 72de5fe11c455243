"""The server that is killed: the real command, its process tree, and where its data is."""

import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

from hopline.testing import ServerProcess, free_port

__all__ = ["Victim", "children"]

ROOT = Path(__file__).resolve().parents[2]
HOPLINE = Path(sys.executable).with_name("hopline")


def children(pid: int) -> list[int]:
    """The ids of the processes below `pid`, at any depth."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *children(child)]
    return found


class Victim:
    """`hopline serve` on one data folder, started as often as it takes. Each start has a port of its own."""

    def __init__(self, data_dir: Path, workers: int = 2) -> None:
        self.data_dir = data_dir
        self.key = "hop_" + secrets.token_urlsafe(32)
        self.port = 0
        self._workers = workers
        self._process: ServerProcess | None = None

    @property
    def process(self) -> ServerProcess:
        """The run under way."""
        if self._process is None:
            raise RuntimeError("the server was not started; call start()")
        return self._process

    def start(self, command: Sequence[str] = (str(HOPLINE), "serve")) -> None:
        """Start it, by `command` and the flags that `hopline serve` takes."""
        self.port = free_port()
        flags = ["--port", str(self.port), "--workers", str(self._workers), "--data-dir", str(self.data_dir)]
        self._process = ServerProcess(
            [*command, *flags],
            ready=lambda: "Hopline is ready" in self.process.output(),  # all processes run, not only the socket
            env={"HOPLINE_ADMIN_KEY": self.key, "HOPLINE_LOG_LEVEL": "info"},
            cwd=ROOT,
        )
        self._process.start()

    def pids(self) -> list[int]:
        """Supervisor, workers and ingester."""
        return [self.process.pid, *children(self.process.pid)]

    def kill(self) -> None:
        """SIGKILL to all of them at once, and wait until they are gone."""
        self.process.close()

    def close(self) -> None:
        """Leave nothing running. Idempotent."""
        if self._process is not None:
            self._process.close()
