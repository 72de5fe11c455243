"""The real server and the real command, as processes of their own."""

import csv
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from hopline.testing import ServerProcess
from tests.cli.ran import Ran

__all__ = ["BATCH", "HOPLINE", "KEY", "ROWS", "Hopline", "exported", "follow", "one_number", "serving", "until"]

HOPLINE = [sys.executable, "-c", "import sys; from hopline.cli import main; sys.exit(main())"]
KEY = "hop_" + "k" * 43
ROWS = 5000
BATCH = 500

Hopline = Callable[..., Ran]


def serving(data_dir: Path, port: int) -> ServerProcess:
    """`hopline serve` on a folder, ready once it accepts connections."""
    command = [*HOPLINE, "serve", "--port", str(port), "--data-dir", str(data_dir)]
    return ServerProcess(command, address=("127.0.0.1", port), env={"HOPLINE_ADMIN_KEY": KEY})


def until(happened: Callable[[], bool], seconds: float = 30.0, process: subprocess.Popen[bytes] | None = None) -> None:
    """Poll until something another process does has happened; `process` must not end before."""
    end = time.monotonic() + seconds
    while not happened():
        if process is not None and process.poll() is not None:
            said = process.communicate()
            raise AssertionError(f"it ended with {process.returncode} before that: {said!r}")
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def follow(url: str) -> tuple[int, str]:
    """The redirect's status and target."""

    class Still(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *args: object) -> None:
            return None

    try:
        urllib.request.build_opener(Still).open(url, timeout=10).close()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.headers.get("location", "")
    raise AssertionError("it was no redirect")


def exported(hopline: Hopline) -> list[dict[str, str]]:
    ran = hopline("export")
    assert ran.status == 0, ran.err
    return list(csv.DictReader(ran.out.splitlines()))


def one_number(data_dir: Path, statement: str) -> int:
    """What `statement` finds in the links.db of a data folder."""
    with closing(sqlite3.connect(data_dir / "links.db")) as connection:
        number: int = connection.execute(statement).fetchone()[0]
        return number
