"""kill -9 of the real server under load: no promised link is lost, no click is lost or counted twice."""

import asyncio
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.drill import kill_at_point, kill_rounds

# What passes a point often is killed after some work, what passes it a few times a second, soon.
POINTS = {"after-append": (20, 400), "after-send": (20, 400), "before-commit": (1, 4), "after-commit": (1, 4)}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of a short name: the server's sockets are in it, and their names may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="kill9-") as path:
        yield Path(path)


def test_killed_three_times_the_server_keeps_links_and_clicks(folder: Path) -> None:
    rounds = asyncio.run(kill_rounds(3, folder / "data", seed=random.getrandbits(32)))
    assert all(one.waiting and one.lost for one in rounds)
    assert rounds[-1].received > 100


@pytest.mark.parametrize("point", POINTS)
def test_a_process_killed_at_a_named_point_loses_and_repeats_nothing(folder: Path, point: str) -> None:
    seed = random.getrandbits(32)
    one = asyncio.run(kill_at_point(point, random.Random(seed).randrange(*POINTS[point]), folder / "data", seed))
    assert one.waiting
    assert one.received > 20


@pytest.mark.soak
def test_killed_twenty_times_the_server_keeps_links_and_clicks(folder: Path) -> None:
    rounds = asyncio.run(kill_rounds(20, folder / "data", seed=random.getrandbits(32)))
    assert len(rounds) == 20
    assert all(one.waiting and one.lost for one in rounds)


@pytest.mark.soak
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("seed", range(10))
def test_wherever_a_process_is_killed_nothing_is_lost_or_repeated(folder: Path, point: str, seed: int) -> None:
    nth = random.Random(seed).randrange(*POINTS[point])
    asyncio.run(kill_at_point(point, nth, folder / "data", seed))
