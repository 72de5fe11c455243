"""Waiting for another thread: look again until it has come so far, and give up after a deadline."""

import time
from collections.abc import Callable

__all__ = ["WAIT", "until"]

WAIT = 10.0  # seconds after which a test has hung


def until(came: Callable[[], bool]) -> None:
    """Return once `came()` is true."""
    deadline = time.monotonic() + WAIT
    while not came():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.001)
