"""Server processes on a core of their own, and what they cost there."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.machine import ROOT
from hopline.testing import ServerProcess

__all__ = ["CLIENT_CORE", "SERVER_CORE", "BenchmarkError", "Pinned", "pin_this_process", "require"]

SERVER_CORE = 0
CLIENT_CORE = 1
_TICKS = os.sysconf("SC_CLK_TCK")


class BenchmarkError(Exception):
    """A measurement can't be made, or what it met is not what it should measure."""


def require(*programs: str) -> None:
    """BenchmarkError for a program that is not installed."""
    for program in programs:
        if shutil.which(program) is None:
            raise BenchmarkError(f"{program!r} is not installed; Debian has wrk, nginx and golang")
    if (os.cpu_count() or 1) < 2:
        raise BenchmarkError("one core only; server and load generator need one each")


def _tree(pid: int) -> list[int]:
    """`pid` and all processes below it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += _tree(child)
    return found


def _cpu_seconds(pids: Sequence[int]) -> dict[int, float]:
    """User and system time of each process since it began; those that have ended are missing."""
    times: dict[int, float] = {}
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        times[pid] = (int(fields[11]) + int(fields[12])) / _TICKS
    return times


class Pinned(ServerProcess):
    """A ServerProcess whose tree runs on the server's core alone."""

    def __init__(self, command: Sequence[str], port: int, env: Mapping[str, str] | None = None) -> None:
        pinned = ["taskset", "-c", str(SERVER_CORE), *command]
        super().__init__(pinned, address=("127.0.0.1", port), env=env, cwd=ROOT)

    def cpu(self) -> dict[int, float]:
        """Seconds of each process of the tree so far."""
        return _cpu_seconds(_tree(self.pid))


def pin_this_process() -> None:
    """Keep the benchmark itself off the server's core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {CLIENT_CORE})
    else:
        raise BenchmarkError(f"processes can't be pinned on {sys.platform}; run this on Linux")
