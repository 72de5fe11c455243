"""Other programs on the machine: waiting until they rest, and noticing when they didn't."""

import os
import time
from pathlib import Path

__all__ = ["DISTURBED", "machine_seconds", "wait_until_quiet"]

DISTURBED = 0.10  # share of all cores' time taken by others from which on a measurement is made again
_LOOK = 0.5  # seconds
_TICKS = os.sysconf("SC_CLK_TCK")


def machine_seconds() -> float:
    """Seconds that all cores of the machine have worked, or their host took away, since it was started."""
    user, nice, system, _, _, irq, softirq, steal, *_ = map(int, Path("/proc/stat").read_text().split()[1:11])
    return (user + nice + system + irq + softirq + steal) / _TICKS


def wait_until_quiet(patience: float) -> bool:
    """Wait until others use little of the cores, at most `patience` seconds; whether they do."""
    deadline = time.monotonic() + patience
    while True:
        before = machine_seconds()
        time.sleep(_LOOK)
        if machine_seconds() - before < DISTURBED * _LOOK * (os.cpu_count() or 1):
            return True
        if time.monotonic() > deadline:
            return False
