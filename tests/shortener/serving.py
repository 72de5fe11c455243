"""A real `hopline serve` on a free port and a folder of its own, and a client with its key."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from hopline.testing import ServerProcess, free_port

__all__ = ["ADMIN_KEY", "Hopline", "eventually", "hopline_command", "serving"]

ADMIN_KEY = "hop_" + "k" * 43


def hopline_command(*arguments: str) -> list[str]:
    """The `hopline` of the environment that runs the tests."""
    return [str(Path(sys.executable).with_name("hopline")), *arguments]


def environment(folder: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Variables that keep a test's server away from the user's own folders."""
    return {"HOPLINE_ADMIN_KEY": ADMIN_KEY, "XDG_STATE_HOME": str(folder / "state"), **(extra or {})}


class Hopline:
    """A running server."""

    def __init__(self, process: ServerProcess, port: int, data_dir: Path) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.data_dir = data_dir
        self.client = httpx.Client(
            base_url=self.url, headers={"authorization": f"Bearer {ADMIN_KEY}"}, timeout=20.0, trust_env=False
        )

    def create(self, url: str, **values: Any) -> dict[str, Any]:
        """A new link's JSON."""
        answer = self.client.post("/api/v1/links", json={"url": url, **values})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def stats(self, code: str) -> dict[str, Any]:
        """A link's statistics as JSON."""
        found: dict[str, Any] = self.client.get(f"/api/v1/links/{code}/stats").json()
        return found


@contextmanager
def serving(folder: Path, *flags: str, env: Mapping[str, str] | None = None) -> Iterator[Hopline]:
    """`hopline serve` with its data in `folder`/data until the end of the `with`."""
    port = free_port()
    arguments: Sequence[str] = ["serve", "--port", str(port), "--data-dir", str(folder / "data"), *flags]
    process = ServerProcess(hopline_command(*arguments), address=("127.0.0.1", port), env=environment(folder, env))
    with process:
        hopline = Hopline(process, port, folder / "data")
        eventually(lambda: "Hopline is ready" in process.output())
        with hopline.client:
            yield hopline


def eventually(holds: Callable[[], bool], timeout: float = 20.0) -> None:
    """Wait until `holds()`; AssertionError after `timeout` seconds."""
    end = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < end, f"not within {timeout} s"
        time.sleep(0.02)
