"""The kill -9 drill: whatever dies when, every link that was promised is there and every click counted once.

A round starts the real server on the data folder of the rounds before, lets visitors create and follow links, kills
at a random moment (the whole process tree, or one process at a named point of its work), and then checks, for each
code and for their sum, over all rounds so far:

    redirects received  ≤  clicks counted  ≤  redirects received + visits whose answer never came

and that every link whose 201 was received leads where it should. A round counts only if requests were under way
when the kill came; otherwise it is repeated.

    python -m tests.faults.drill --rounds 20
"""

import argparse
import asyncio
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.backlog import uncounted_bytes
from tests.faults.victim import ROOT, Victim
from tests.faults.visitors import Browser, Ledger, visit

__all__ = ["DrillFailed", "Round", "kill_at_point", "kill_rounds"]

CONNECTIONS: Final = 8
PROCESSES: Final = 4  # supervisor, two workers, ingester
CATCH_UP: Final = 30.0  # seconds the ingester may take for what a second of load has written
DYING: Final = 5.0  # seconds a killed process may take to be gone
AFTER_POINT: Final = 0.5  # seconds of load on what the supervisor has started again


class DrillFailed(Exception):
    """A promise was broken, or the drill could not be carried out as it should."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one kill met, and the sums after it, which are cumulative."""

    kill: str
    after_seconds: float
    waiting: int  # requests that were under way when the kill was sent
    lost: int  # of this round: requests whose answer never came
    links: int
    received: int
    counted: int
    unanswered: int
    recovery_seconds: float  # from the restart until all clicks were counted


async def kill_rounds(rounds: int, data_dir: Path, seed: int) -> list[Round]:
    """Kill the whole server `rounds` times under load. DrillFailed where a promise is broken."""
    victim, ledger, rng = Victim(data_dir), Ledger(), random.Random(seed)
    done: list[Round] = []
    attempts = 0
    try:
        victim.start()
        while len(done) < rounds:
            attempts += 1
            if attempts > 2 * rounds + 2:
                raise DrillFailed(f"only {len(done)} of {attempts} kills met a request under way")
            lost, after = ledger.lost, rng.uniform(0.2, 1.5)
            waiting = await _load_until_killed(victim, ledger, rng, after)
            begun = time.monotonic()
            victim.start()
            counted = await _verify(victim, ledger)
            if waiting and ledger.lost > lost:
                done.append(_round("all", after, waiting, ledger.lost - lost, ledger, counted, begun))
    finally:
        victim.close()
    return done


async def kill_at_point(point: str, nth: int, data_dir: Path, seed: int) -> Round:
    """Let one process kill itself at its `nth` passage of `point`; the supervisor starts it again under load."""
    victim, ledger, rng = Victim(data_dir), Ledger(), random.Random(seed)
    marker = data_dir.with_name(f"{data_dir.name}.{point}")
    try:
        victim.start([sys.executable, "-m", "tests.faults.faulty_serve", point, str(nth), str(marker)])
        after, waiting = await _load_over_point(victim, ledger, rng, marker)
        begun = time.monotonic()
        counted = await _verify(victim, ledger)
        if not waiting:
            raise DrillFailed(f"no request was under way when {point} was reached; raise the load")
        if point == "after-append" and counted == ledger.answered.total():
            raise DrillFailed("the click that was appended right before the kill is not among the counted")
        return _round(point, after, waiting, ledger.lost, ledger, counted, begun)
    finally:
        victim.close()


def _round(kill: str, after: float, waiting: int, lost: int, ledger: Ledger, counted: int, begun: float) -> Round:
    took = time.monotonic() - begun
    answered, unanswered = ledger.answered.total(), ledger.unanswered.total()
    return Round(kill, round(after, 3), waiting, lost, len(ledger.links), answered, counted, unanswered, round(took, 2))


def _visits(
    victim: Victim, ledger: Ledger, rng: random.Random, done: Callable[[], bool], persistent: bool
) -> list[Coroutine[Any, Any, None]]:
    seeds = [rng.getrandbits(64) for _ in range(CONNECTIONS)]
    return [visit(victim.port, victim.key, ledger, random.Random(seed), done, persistent=persistent) for seed in seeds]


async def _load_until_killed(victim: Victim, ledger: Ledger, rng: random.Random, after: float) -> int:
    """Visit for `after` seconds, then kill all; how many requests were under way in that moment."""
    dead = False

    def kill() -> int:
        pids = victim.pids()
        if len(pids) != PROCESSES:
            raise DrillFailed(f"{len(pids)} processes run, not {PROCESSES}:\n{victim.process.output()}")
        time.sleep(after)  # on a thread of its own, so that the moment is any moment, not one of the loop's
        waiting = ledger.waiting
        victim.kill()
        _await_death(pids)
        return waiting

    visits = asyncio.gather(*_visits(victim, ledger, rng, lambda: dead, persistent=False))
    try:
        return await asyncio.to_thread(kill)
    finally:
        dead = True
        await visits


def _await_death(pids: list[int]) -> None:
    """The kernel takes a moment for what a killed process held."""
    deadline = time.monotonic() + DYING
    while left := [pid for pid in pids if _runs(pid)]:
        if time.monotonic() > deadline:
            raise DrillFailed(f"processes {left} have outlived SIGKILL by {DYING} s")
        time.sleep(0.005)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"  # a zombie does nothing more, whoever should have collected it


async def _load_over_point(victim: Victim, ledger: Ledger, rng: random.Random, marker: Path) -> tuple[float, int]:
    """Visit until a process has killed itself and a little longer; when that was, and requests under way then."""
    begun = time.monotonic()
    ended = False
    visits = asyncio.gather(*_visits(victim, ledger, rng, lambda: ended, persistent=True))
    try:
        while not marker.exists():
            if time.monotonic() - begun > CATCH_UP:
                raise DrillFailed(f"{marker.name} was not reached in {CATCH_UP} s:\n{victim.process.output()}")
            await asyncio.sleep(0.002)
        after, waiting = time.monotonic() - begun, ledger.waiting
        await asyncio.sleep(AFTER_POINT)
    finally:
        ended = True
        await visits
    pid = marker.read_text().strip()
    if f"process {pid}" not in victim.process.output():
        raise DrillFailed(f"the supervisor has not noticed the death of {pid}:\n{victim.process.output()}")
    return after, waiting


async def _verify(victim: Victim, ledger: Ledger) -> int:
    """Check all promises against the server that runs now; the clicks it has counted in all."""
    if ledger.surprises:
        raise DrillFailed("; ".join(ledger.surprises[:5]))
    deadline = time.monotonic() + CATCH_UP
    while uncounted_bytes(victim.data_dir):
        if time.monotonic() > deadline:
            raise DrillFailed(f"clicks are still not counted after {CATCH_UP} s:\n{victim.process.output()}")
        await asyncio.sleep(0.05)
    counted: Counter[str] = Counter()
    shares = [ledger.codes[start::CONNECTIONS] for start in range(CONNECTIONS)]
    await asyncio.gather(*(_look_at(share, victim, ledger, counted) for share in shares))
    for code in ledger.codes:
        _check_sum(f"code {code!r}", ledger.answered[code], counted[code], ledger.unanswered[code])
    _check_sum("the sum", ledger.answered.total(), counted.total(), ledger.unanswered.total())
    return counted.total()


async def _look_at(codes: list[str], victim: Victim, ledger: Ledger, counted: Counter[str]) -> None:
    browser = Browser(victim.port)
    try:
        for code in codes:
            link = await browser.send("HEAD", f"/{code}", {})  # which is no click
            if link.status != 302 or link.location != ledger.links[code]:
                raise DrillFailed(f"link {code!r} was promised, and is now {link.status} {link.location!r}")
            fields = {"Authorization": f"Bearer {victim.key}"}
            stats = await browser.send("GET", f"/api/v1/links/{code}/stats", fields)
            if stats.status != 200:
                raise DrillFailed(f"stats of {code!r} were answered {stats.status}: {stats.body[:200]!r}")
            counted[code] = json.loads(stats.body)["clicks"]
    finally:
        browser.close()


def _check_sum(what: str, received: int, counted: int, unanswered: int) -> None:
    if not received <= counted <= received + unanswered:
        raise DrillFailed(
            f"{what}: {counted} clicks counted, but {received} redirects received and {unanswered} never answered"
        )


def _table(rounds: list[Round]) -> str:
    names = ["kill", "after s", "waiting", "lost", "links", "received", "counted", "unanswered", "recovery s"]
    rows = [[str(value) for value in asdict(one).values()] for one in rounds]
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in [names, *rows]
    )


def main() -> int:
    """Run the long form and print a table and a JSON line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.drill", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=20, help="kills of the whole server (20)")
    parser.add_argument("--point-rounds", type=int, default=3, help="kills at each named point (3)")
    parser.add_argument("--seed", type=int, default=1, help="of moments and visits (1)")
    chosen = parser.parse_args()
    # Imported here: that module is a program, which changes the server's classes only when run as one.
    from tests.faults.faulty_serve import POINTS

    # The server leads a session of its own: only an orderly end takes it along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    folder = Path(tempfile.mkdtemp(prefix="drill-"))
    try:
        results = asyncio.run(kill_rounds(chosen.rounds, folder / "data", chosen.seed))
        rng = random.Random(chosen.seed)
        for point in POINTS:
            for number in range(chosen.point_rounds):
                nth = rng.randrange(1, 4) if "commit" in point else rng.randrange(20, 400)
                data_dir = folder / f"{point}-{number}"
                results.append(asyncio.run(kill_at_point(point, nth, data_dir, rng.getrandbits(32))))
    except DrillFailed as error:
        print(f"failed: {error}\nthe data is left in {folder}", file=sys.stderr)
        return 1
    except BaseException:  # stopped by a signal: there is nothing to look into
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder)
    print(_table(results))
    print(json.dumps({"seed": chosen.seed, "rounds": [asdict(one) for one in results]}))
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    raise SystemExit(main())
