"""The redirect against its peers: requests a second, CPU time a request, and whether every click was counted.

Five rounds; in each, at one and at sixteen pipelined requests, every contender is started anew, warmed up and
loaded in turn, so that a slow moment of the machine meets all alike. Server on core 0, wrk on core 1. Ratios are
taken within a round, then their median: figures of different moments are never compared. What other programs
disturbed is measured again, a few times at most, whoever was measured; what stays disturbed counts for nothing.
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from benchmarks.contenders import URL, Contender, Deferred, Go, Nginx, Sustained, build_go
from benchmarks.machine import ROOT, about, about_now_ended
from benchmarks.pinned import pin_this_process, require
from benchmarks.quiet import DISTURBED, machine_seconds, wait_until_quiet
from benchmarks.summary import summarise
from benchmarks.sums import Sums, sums_after_deferred, sums_after_sustained
from benchmarks.tables import redirect_table
from benchmarks.wrk import CONNECTIONS, Load, check_redirect, load

__all__ = ["RESULTS", "add_arguments", "run"]

RESULTS = ROOT / "benchmarks" / "results"
CONTENDERS: tuple[type[Contender], ...] = (Deferred, Sustained, Nginx, Go)
WARM_UP = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Measurement:
    """One contender under load, once."""

    contender: str
    round: int
    depth: int
    rate: float  # answers a second
    cpu_us: float  # of all its processes, for one request
    p50_ms: float
    p99_ms: float
    requests: int
    seconds: float
    busy: float  # share of its core that the server used; far below 1, the client or a disturbance was the limit
    disturbed: float  # share of all cores' time that other programs and the host took meanwhile
    cpu_us_of: dict[str, float] = field(default_factory=dict)  # by process, where there are several
    lag_bytes: list[int] = field(default_factory=list)  # sustained: once a second
    lag_slope: float | None = None  # sustained: bytes a second that lag grows by, for each byte a second written
    sums: Sums | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m benchmarks redirect`."""
    parser.add_argument("--rounds", type=int, default=5, help="rounds, each with every contender (5)")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each is loaded (5)")
    parser.add_argument("--sustained-seconds", type=float, default=10.0, help="how long `hopline serve` is (10)")
    parser.add_argument("--depths", type=int, nargs="+", default=[1, 16], help="pipelined requests (1 16)")
    parser.add_argument("--attempts", type=int, default=3, help="measurements, while others disturb them (3)")
    parser.add_argument("--patience", type=float, default=20.0, help="seconds to wait for a quiet machine (20)")
    parser.add_argument("--only", nargs="+", choices=[one.name for one in CONTENDERS], help="measure only these")
    parser.add_argument("--output", type=Path, default=RESULTS / "redirect.json", help="where results are kept")


def run(options: argparse.Namespace) -> int:
    """Measure, print the table and keep the results."""
    require("wrk", "nginx", "go", "taskset")
    pin_this_process()
    begun = about()
    chosen = [one for one in CONTENDERS if not options.only or one.name in options.only]
    measured: list[Measurement] = []
    built = Path(tempfile.mkdtemp(prefix="hopline-bench-"))
    try:
        Go.program = build_go(built)
        for number in range(1, options.rounds + 1):
            for depth in options.depths:
                for contender in chosen:
                    seconds = options.sustained_seconds if contender is Sustained else options.seconds
                    one = _undisturbed(contender, number, depth, seconds, options)
                    measured.append(one)
                    said = f"{one.contender:9} {one.rate:9,.0f}/s {one.cpu_us:6.2f} µs CPU"
                    print(
                        f"round {number}  depth {depth:2}  {said}  {100 * one.disturbed:3.0f} % by others", flush=True
                    )
    finally:
        shutil.rmtree(built, ignore_errors=True)
    measurements = [asdict(one) for one in measured]
    results = {"about": about_now_ended(begun), "connections": CONNECTIONS, "summary": summarise(measurements)}
    results["measurements"] = measurements
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(results, indent=1) + "\n")
    print(redirect_table(results))
    return 0


def _undisturbed(
    contender: type[Contender], number: int, depth: int, seconds: float, options: argparse.Namespace
) -> Measurement:
    """The first measurement that nobody disturbed, else the least disturbed of a few."""
    tried: list[Measurement] = []
    for _ in range(options.attempts):
        wait_until_quiet(options.patience)
        tried.append(_measure(contender(), number, depth, seconds))
        if tried[-1].disturbed < DISTURBED:
            break
    return min(tried, key=lambda one: one.disturbed)


def _measure(contender: Contender, number: int, depth: int, seconds: float) -> Measurement:
    with contender:
        answered = check_redirect(contender.port, contender.path, URL, depth)
        warm = load(contender.port, contender.path, depth, WARM_UP)
        with _LagWatch(contender) as watch:
            busy, cpu = machine_seconds(), contender.server.cpu()
            result = load(contender.port, contender.path, depth, seconds)
            spent = {pid: after - cpu.get(pid, 0.0) for pid, after in contender.server.cpu().items()}
            busy = machine_seconds() - busy
        sums = _sums(contender, answered + warm.requests + result.requests, warm.in_flight + result.in_flight)
        total = sum(spent.values())
        return Measurement(
            contender=contender.name,
            round=number,
            depth=depth,
            rate=round(result.rate, 1),
            cpu_us=round(total / result.requests * 1e6, 3),
            p50_ms=result.p50_ms,
            p99_ms=result.p99_ms,
            requests=result.requests,
            seconds=result.seconds,
            busy=round(total / result.seconds, 3),
            disturbed=round(max(0.0, busy - total - result.client_cpu) / result.seconds / (os.cpu_count() or 1), 3),
            cpu_us_of=_by_process(contender, spent, result),
            lag_bytes=watch.lags,
            lag_slope=watch.slope(),
            sums=sums,
        )


def _sums(contender: Contender, answered: int, in_flight: int) -> Sums | None:
    if isinstance(contender, Sustained):
        return sums_after_sustained(contender, answered, in_flight)
    if isinstance(contender, Deferred):
        return sums_after_deferred(contender, answered, in_flight)
    return None


def _by_process(contender: Contender, spent: dict[int, float], result: Load) -> dict[str, float]:
    """CPU µs a request of supervisor, ingester and worker, which are started in that order."""
    if not isinstance(contender, Sustained):
        return {}
    names = ("supervisor", "ingester", "worker")
    return {name: round(spent[pid] / result.requests * 1e6, 3) for name, pid in zip(names, sorted(spent), strict=True)}


class _LagWatch:
    """Notes once a second how far counting is behind, while a sustained server is loaded."""

    def __init__(self, contender: Contender) -> None:
        self.lags: list[int] = []
        self._contender = contender
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._written = 0.0

    def __enter__(self) -> Self:
        if isinstance(self._contender, Sustained):
            self._begun = time.monotonic()
            self._before = self._contender.figure("hopline_journal_bytes")
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if isinstance(self._contender, Sustained):
            self._stop.set()
            self._thread.join()
            written = self._contender.figure("hopline_journal_bytes") - self._before
            self._written = written / (time.monotonic() - self._begun)

    def _watch(self) -> None:
        while isinstance(self._contender, Sustained) and not self._stop.wait(1.0):
            self.lags.append(self._contender.lag_bytes())

    def slope(self) -> float | None:
        """The least-squares slope of the lag over time, as a share of what is written: 0 is flat, 1 is not counting."""
        if len(self.lags) < 3 or not self._written:
            return None
        slope = statistics.linear_regression(range(len(self.lags)), self.lags).slope
        return round(slope / self._written, 4)
