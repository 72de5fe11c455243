"""The ingester over real segments: positions, finishing, removal, errors."""

import asyncio
import errno
import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hopline.errors import HoplineError
from hopline.shortener.clicks import ingest
from hopline.shortener.clicks.ingest import Ingester, IngesterBusy, IngestStats
from hopline.shortener.clicks.protocol import LinkStats
from hopline.shortener.clicks.rollup import add_sums
from hopline.shortener.clicks.sqlite import SqliteClickStore
from tests.shortener.clicks.clicking import DAY, NOW, Folder, click, read_journal


def stats(folder: Folder, link: int = 1) -> LinkStats:
    async def ask() -> LinkStats:
        store = SqliteClickStore(folder.database)
        try:
            return await store.stats(link, DAY, DAY)
        finally:
            await store.close()

    return asyncio.run(ask())


def clicks(folder: Folder, link: int = 1) -> int:
    return stats(folder, link).totals.clicks


def test_every_click_is_counted_once_however_often_it_runs(folder: Folder) -> None:
    folder.write(*[click()] * 500)
    with closing(folder.ingester()) as ingester:
        assert ingester.run_once().records == 500
        assert ingester.run_once().records == 0
    with closing(folder.ingester()) as ingester:
        assert ingester.run_once().records == 0
    assert clicks(folder) == 500


def test_a_living_segment_is_followed(folder: Folder) -> None:
    journal = folder.open_journal()
    with closing(folder.ingester()) as ingester:
        assert ingester.run_once().records == 0
        for number in range(1, 4):
            journal.append(click())
            report = ingester.run_once()
            assert (report.records, report.segments, report.finished) == (1, 1, 0)
            assert clicks(folder) == number
        journal.close()
        assert ingester.run_once().finished == 1


def test_it_is_behind_until_it_has_read_everything(folder: Folder) -> None:
    folder.write(*[click(link=number, time_ms=NOW * 1000 - 5000) for number in range(1000)])
    with closing(folder.ingester(batch_records=100)) as ingester:
        reports = [ingester.run_once()]
        assert reports[0].lag_seconds == 5.0
        while reports[-1].lag_bytes:
            reports.append(ingester.run_once())
    lags = [report.lag_bytes for report in reports]
    assert len(lags) > 1
    assert lags == sorted(lags, reverse=True)
    assert (lags[-1], reports[-1].lag_seconds) == (0, 0.0)
    assert sum(report.records for report in reports) == 1000
    assert ingester.stats().records == 1000


def test_a_finished_segment_is_removed_a_day_later_and_its_row_with_it(folder: Folder) -> None:
    folder.write(click())
    with closing(folder.ingester()) as ingester:
        assert ingester.run_once().finished == 1
        folder.clock.advance(86_399)
        assert ingester.run_once().removed == 0
        assert len(folder.segments()) == 1
        assert rows(folder) == 1
        folder.clock.advance(1)
        assert ingester.run_once().removed == 1
    assert folder.segments() == []
    assert rows(folder) == 0
    assert clicks(folder) == 1


def rows(folder: Folder) -> int:
    with closing(sqlite3.connect(folder.database)) as connection:
        count: int = connection.execute("SELECT count(*) FROM segments").fetchone()[0]
        return count


def test_a_row_outlives_its_file_when_removal_is_interrupted(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write(click())
    with closing(folder.ingester()) as ingester:
        ingester.run_once()
        folder.clock.advance(90_000)

        def interrupt(*_: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(ingester._positions, "forget", interrupt)
            with pytest.raises(KeyboardInterrupt):
                ingester.run_once()
        assert (folder.segments(), rows(folder)) == ([], 1)
        assert ingester.run_once().removed == 1
    assert rows(folder) == 0


def test_a_living_segment_is_never_finished_or_cut(folder: Folder) -> None:
    journal = folder.open_journal()
    journal.append(click())
    with closing(folder.ingester()) as ingester:
        ingester.run_once()
        folder.clock.advance(200_000)
        report = ingester.run_once()
        assert (report.finished, report.removed) == (0, 0)
    assert all(path.stat().st_size == 1 << 16 for path in folder.segments())
    journal.append(click())
    journal.close()
    assert len(read_journal(folder.journal)) == 2


def test_a_dead_spare_is_removed_at_once(folder: Folder) -> None:
    folder.write(click())
    spare = folder.journal / "1769860800001-0000000000000001.seg"
    spare.write_bytes(bytes(1 << 16))
    with closing(folder.ingester()) as ingester:
        report = ingester.run_once()
    assert (report.removed, report.finished) == (1, 1)
    assert not spare.exists()
    assert rows(folder) == 1


def test_a_segment_taken_away_by_hand_is_not_waited_for(folder: Folder) -> None:
    journal = folder.open_journal()
    journal.append(click())
    with closing(folder.ingester()) as ingester:
        ingester.run_once()
        for path in folder.segments():
            path.unlink()
        ingester.run_once()
        folder.clock.advance(86_401)
        ingester.run_once()
    journal.close()
    assert rows(folder) == 0


def test_leftovers_of_a_killed_maker_are_removed_when_they_are_old(folder: Folder) -> None:
    folder.journal.mkdir()
    old, fresh = folder.journal / "1-a.new", folder.journal / "2-b.new"
    for path in (old, fresh):
        path.touch()
    os.utime(old, (0, 0))
    folder.ingester().close()
    assert [path.name for path in folder.journal.iterdir()] == ["2-b.new"]


def test_two_ingesters_exclude_each_other(folder: Folder) -> None:
    with closing(folder.ingester()):
        second = Ingester(folder.journal, folder.database, folder.clock)
        with pytest.raises(IngesterBusy, match=r"another process ingests clicks and holds .*clicks\.db\.lock'"):
            second.open()
        second.close()
    folder.ingester().close()


def test_damaged_records_are_skipped_and_counted(folder: Folder) -> None:
    folder.write(*[click(link=number) for number in range(1, 11)])
    path = folder.segments()[0]
    content = bytearray(path.read_bytes())
    content[len(click()) * 3] ^= 0xFF
    path.write_bytes(content)
    with closing(folder.ingester()) as ingester:
        report = ingester.run_once()
        assert (report.records, report.damaged, report.finished) == (9, 1, 1)
        assert ingester.stats().damaged == 1
    with closing(sqlite3.connect(folder.database)) as connection:
        assert connection.execute("SELECT damaged, skipped > 0 FROM segments").fetchall() == [(1, 1)]


@pytest.mark.parametrize(
    "payload", [b"", b"short", click()[:-1], click(kind=77), click(link=2**63), click()[:24], b"\xff" * 2000]
)
def test_a_record_that_makes_no_sense_is_counted_as_damaged_and_holds_up_nothing(
    folder: Folder, payload: bytes
) -> None:
    folder.write(click(), payload, click())
    with closing(folder.ingester()) as ingester:
        report = ingester.run_once()
    assert (report.records, report.damaged) == (3, 1)
    assert clicks(folder) == 2


def test_an_error_changes_nothing_and_the_next_run_makes_up_for_it(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write(*[click()] * 100)
    with closing(folder.ingester()) as ingester:
        with monkeypatch.context() as patch:

            def fail(*_: Any) -> None:
                raise sqlite3.OperationalError("database or disk is full")

            patch.setattr(ingester._positions, "write", fail)  # the sums are already in the transaction
            with pytest.raises(sqlite3.OperationalError):
                ingester.run_once()
        assert clicks(folder) == 0
        assert ingester.run_once().records == 100
        assert ingester.stats() == IngestStats(records=100, finished=1, runs=1, failures=1)
    assert clicks(folder) == 100


class Rounds:
    """A Stop that is set after some waits."""

    def __init__(self, rounds: int) -> None:
        self.left = rounds
        self.waits: list[float | None] = []

    def is_set(self) -> bool:
        return self.left <= 0

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        self.left -= 1
        return self.is_set()


def test_running_goes_on_without_a_pause_while_behind_and_rests_when_not(folder: Folder) -> None:
    folder.write(*[click(link=number) for number in range(2000)])
    stop = Rounds(2)
    with closing(folder.ingester(batch_records=100)) as ingester:
        ingester.run(stop)
        assert ingester.stats().records == 2000
        assert ingester.stats().runs > 4
    assert stop.waits == [0.2, 0.2]


def test_running_tries_again_after_errors_with_growing_pauses(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder.write(click())
    errors = iter([sqlite3.OperationalError("locked"), OSError(errno.EIO, "Input/output error")])

    def fail_twice(connection: sqlite3.Connection, sums: Any) -> None:
        error = next(errors, None)
        if error is not None:
            raise error
        add_sums(connection, sums)

    monkeypatch.setattr(ingest, "add_sums", fail_twice)
    stop = Rounds(3)
    with closing(folder.ingester()) as ingester:
        ingester.run(stop)
        assert ingester.stats().failures == 2
    assert stop.waits == [0.2, 0.4, 0.2]
    assert clicks(folder) == 1
    assert "they stay in the journal" in caplog.text


def test_stopping_counts_what_came_last(folder: Folder) -> None:
    stop = threading.Event()
    stop.set()
    folder.write(click())
    with closing(folder.ingester()) as ingester:
        ingester.run(stop)
    assert clicks(folder) == 1


def test_an_ingester_that_is_not_open_says_so(tmp_path: Path) -> None:
    with pytest.raises(HoplineError, match="call open"):
        Ingester(tmp_path, tmp_path / "clicks.db").run_once()


def test_stats_of_processes_add_up() -> None:
    one = IngestStats(records=1, runs=1, lag_bytes=5, lag_seconds=2.0)
    assert one + IngestStats(records=2, failures=1, lag_seconds=1.0) == IngestStats(
        records=3, runs=1, failures=1, lag_bytes=5, lag_seconds=2.0
    )
