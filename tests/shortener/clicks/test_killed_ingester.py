"""kill -9 of the ingester: whenever it dies, the next one brings the sums to what they should be, exactly."""

import random
import sqlite3
import time
from collections import Counter
from contextlib import closing

import pytest

from tests.shortener.clicks.child_process import child, kill, read_reports
from tests.shortener.clicks.clicking import CHROME, IPHONE, Folder, click

CLICKS = 3000  # eight segments, and a batch is at least one


def written(folder: Folder) -> Counter[int]:
    """3,000 clicks over several segments; clicks by link."""
    rng = random.Random(7)
    payloads = [
        click(link=rng.randrange(1, 8), visitor=rng.getrandbits(64), agent=rng.choice([CHROME, IPHONE, b"curl/8"]))
        for _ in range(CLICKS)
    ]
    folder.write(*payloads)
    return Counter(int.from_bytes(payload[8:16], "little") for payload in payloads)


def counted(folder: Folder, table: str) -> Counter[int]:
    with closing(sqlite3.connect(folder.database)) as connection:
        return Counter(dict(connection.execute(f"SELECT link, sum(clicks) FROM {table} GROUP BY link")))  # noqa: S608


def finish(folder: Folder) -> None:
    ingester = folder.ingester()
    while ingester.run_once().records:
        pass
    ingester.close()


@pytest.mark.parametrize("point", ["before", "after"])
@pytest.mark.parametrize("commit", [1, 2, 5])
def test_killed_at_a_commit_nothing_is_lost_and_nothing_repeated(folder: Folder, point: str, commit: int) -> None:
    expected = written(folder)
    with child("ingest_and_die", str(folder.path), point, str(commit)) as process:
        assert process.wait(60) == -9, "the kill was not inside the work"
    partly = counted(folder, "totals").total()
    assert (partly > 0) == (commit > 1 or point == "after")
    assert partly < CLICKS
    finish(folder)
    assert counted(folder, "totals") == expected
    assert counted(folder, "hourly") == expected


@pytest.mark.parametrize("seed", range(4))
def test_killed_again_and_again_the_sums_are_exact(folder: Folder, seed: int) -> None:
    expected = written(folder)
    for _ in range(4):
        with child("ingest_for_ever", str(folder.path)) as process:
            read_reports(process, 2)
            time.sleep(random.Random(seed).random() / 100)  # any moment of its work will do
            kill(process)
    finish(folder)
    assert counted(folder, "totals") == expected
    assert counted(folder, "hourly") == expected


def test_the_lock_of_a_killed_ingester_is_free(folder: Folder) -> None:
    written(folder)
    with child("ingest_for_ever", str(folder.path)) as process:
        read_reports(process, 1)
        kill(process)
    folder.ingester().close()
