"""Time as an argument: a clock is passed in, never reached for.

Two readings are kept apart. `monotonic()` is for durations, deadlines and expiry: it never goes back
and means nothing outside this process. `time()` is for moments people see (a click, an expiry date):
seconds since 1970 in UTC, which may jump when the machine's clock is set.
"""

import threading
import time
from typing import Protocol

__all__ = ["Clock", "ManualClock", "SystemClock"]


class Clock(Protocol):
    """What every part of Hopline needs to know of time; both readings are in seconds."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back, from an arbitrary start."""
        ...

    def time(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        ...


class SystemClock:
    """The machine's clocks. Thread-safe."""

    # Bound at class creation: a call costs what time.monotonic() itself costs.
    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)


class ManualClock:
    """A clock that moves only when told, for tests of everything that waits. Thread-safe."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._lock = threading.Lock()
        self._monotonic = 0.0
        self._time = start

    def monotonic(self) -> float:
        """Seconds advanced since the clock was made."""
        return self._monotonic

    def time(self) -> float:
        """The start plus what was advanced, unless `set_time` moved it."""
        return self._time

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass on both readings; ValueError if negative."""
        if seconds < 0:
            raise ValueError(f"a clock only goes forward: got {seconds} s; use set_time() to jump the wall clock")
        with self._lock:
            self._monotonic += seconds
            self._time += seconds

    def set_time(self, seconds: float) -> None:
        """Jump the wall clock to `seconds` since 1970, as an operator or NTP would; monotonic stands still."""
        with self._lock:
            self._time = seconds
