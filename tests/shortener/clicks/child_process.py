"""Starting one of children.py, reading what it reports, and killing it."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


@contextmanager
def child(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run one of children.py; killed at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.shortener.clicks.children", *arguments], cwd=ROOT, stdout=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def read_reports(process: subprocess.Popen[bytes], count: int) -> int:
    """Wait for `count` lines; the last number reported."""
    assert process.stdout is not None
    last = 0
    for _ in range(count):
        line = process.stdout.readline()
        assert line, f"the child ended with {process.wait()} before it had reported {count} times"
        last = int(line)
    return last


def kill(process: subprocess.Popen[bytes]) -> int:
    """kill -9, and the last number that it had reported by then (0 if none was left unread)."""
    process.send_signal(signal.SIGKILL)
    assert process.stdout is not None
    # The kill may have cut the last report short.
    lines = process.stdout.read().rpartition(b"\n")[0].split()
    assert process.wait() == -signal.SIGKILL
    return int(lines[-1]) if lines else 0
