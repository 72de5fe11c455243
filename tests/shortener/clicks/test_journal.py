"""The journal as its writer uses it: files, hand-over, full disks."""

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hopline.shortener.clicks import journal as journal_module
from hopline.shortener.clicks import segment
from hopline.shortener.clicks.journal import Journal, JournalError, JournalMode, JournalStats
from hopline.shortener.clicks.reading import writer_is_gone
from tests.shortener.clicks.clicking import SMALL, Folder, click, read_journal

MODES: list[JournalMode] = ["mapped", "written"]


def opened(directory: Path, mode: JournalMode = "mapped") -> Journal:
    journal = Journal(directory, SMALL, mode=mode)
    journal.open()
    return journal


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "waited 60 s in vain"
        time.sleep(0.005)


def wait_for_spare(journal: Journal) -> None:
    """Its file is there a moment before the journal may take it, so the file is not what to wait for."""
    wait_for(lambda: journal._spares._spare is not None)


def fail_with_full_disk(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("mode", MODES)
def test_what_is_appended_is_read_back_in_order(tmp_path: Path, mode: JournalMode) -> None:
    journal = opened(tmp_path, mode)
    payloads = [click(link=number, agent=b"a" * (number % 50)) for number in range(500)]
    assert all(journal.append(payload) for payload in payloads)
    assert read_journal(tmp_path) == payloads
    journal.close()
    assert read_journal(tmp_path) == payloads


@pytest.mark.parametrize("mode", MODES)
def test_a_full_segment_gives_way_to_the_next(tmp_path: Path, mode: JournalMode) -> None:
    journal = opened(tmp_path, mode)
    payloads = [click(link=number) for number in range(2000)]
    assert all(journal.append(payload) for payload in payloads)
    stats = journal.stats()
    journal.close()
    assert stats.appended == 2000
    assert stats.segments >= 4
    assert stats.dropped == 0
    assert sorted(read_journal(tmp_path)) == sorted(payloads)


def test_the_next_segment_is_always_ready(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    wait_for_spare(journal)
    while journal.stats().segments == 1:
        journal.append(click())
    assert journal.stats().overflows == 0
    wait_for(lambda: len(segment.segment_names(tmp_path)) == 3)
    journal.close()


def test_segments_are_locked_while_open_and_free_after(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.append(click())
    wait_for_spare(journal)
    for path in tmp_path.iterdir():
        assert not is_free(path)
    journal.close()
    assert [is_free(path) for path in tmp_path.iterdir()] == [True]


def is_free(path: Path) -> bool:
    fd = os.open(path, os.O_RDONLY)
    try:
        return writer_is_gone(fd)
    finally:
        os.close(fd)


def test_a_retired_segment_is_synced_and_unlocked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "SYNC_SECONDS", 0.01)
    journal = opened(tmp_path)
    while journal.stats().segments == 1:
        journal.append(click())
    oldest = tmp_path / segment.segment_names(tmp_path)[0]
    wait_for(lambda: is_free(oldest))
    assert journal.stats().syncs >= 1
    journal.close()


def test_only_what_changed_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "SYNC_SECONDS", 0.01)
    journal = opened(tmp_path)
    assert journal.stats().syncs == 0
    journal.append(click())
    wait_for(lambda: journal.stats().syncs == 1)
    rounds = 0

    def counted(timeout: float) -> bool:
        nonlocal rounds
        rounds += 1
        return False

    # The thread goes round and round; a second sync would need a second append.
    monkeypatch.setattr(journal._stop, "wait", counted)
    wait_for(lambda: rounds > 3)
    monkeypatch.undo()
    assert journal.stats().syncs == 1
    journal.close()


def test_closing_removes_segments_without_records(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.close()
    assert list(tmp_path.iterdir()) == []


def test_closing_twice_and_without_opening_does_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path, SMALL)
    journal.close()
    journal.open()
    journal.close()
    journal.close()


def test_a_journal_that_is_not_open_drops_and_counts(tmp_path: Path) -> None:
    journal = Journal(tmp_path, SMALL)
    assert journal.append(click()) is False
    journal.open()
    assert journal.append(click()) is True
    journal.close()
    assert journal.append(click()) is False
    stats = journal.stats()
    assert (stats.appended, stats.dropped, stats.ready) == (1, 2, False)
    assert len(read_journal(tmp_path)) == 1


def test_it_can_be_opened_again(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.append(b"one")
    journal.close()
    journal.open()
    journal.append(b"two")
    journal.close()
    assert sorted(read_journal(tmp_path)) == [b"one", b"two"]


@pytest.mark.parametrize("mode", MODES)
def test_a_payload_that_no_reader_would_take_is_dropped(tmp_path: Path, mode: JournalMode) -> None:
    journal = opened(tmp_path, mode)
    assert journal.append(b"x" * segment.MAX_PAYLOAD)
    assert not journal.append(b"x" * (segment.MAX_PAYLOAD + 1))
    assert not journal.append(b"x" * 70_000)
    assert journal.append(b"")
    journal.close()
    assert [len(payload) for payload in read_journal(tmp_path)] == [segment.MAX_PAYLOAD, 0]


def test_a_full_disk_shows_one_segment_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = opened(tmp_path)
    wait_for_spare(journal)
    monkeypatch.setattr(segment, "_fill", fail_with_full_disk)
    while journal.stats().segments == 1:
        assert journal.append(click())
    wait_for(lambda: journal.stats().spare_failures >= 2)
    assert not journal.stats().ready
    assert journal.append(click())
    assert journal.stats().dropped == 0
    journal.close()


def test_a_full_disk_costs_clicks_only_once_everything_is_full_and_they_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = opened(tmp_path)
    wait_for_spare(journal)
    monkeypatch.setattr(segment, "_fill", fail_with_full_disk)
    kept = 0
    while journal.stats().segments == 1:
        kept += journal.append(click())
    wait_for(lambda: not journal.stats().ready)
    while journal.append(click()):
        kept += 1
    assert [journal.append(click()) for _ in range(9)] == [False] * 9
    assert journal.stats().dropped == 10
    assert not list(tmp_path.glob("*.new")), "half-made segments are left behind"

    monkeypatch.undo()  # someone makes room
    wait_for(lambda: journal.stats().ready)
    assert journal.append(click())
    journal.close()
    assert len(read_journal(tmp_path)) == kept + 1


def test_clicks_that_come_faster_than_spares_are_written_and_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = opened(tmp_path)
    monkeypatch.setattr(journal._spares, "take", lambda: None)
    payloads = [click(link=number) for number in range(1000)]
    assert all(journal.append(payload) for payload in payloads)
    assert journal.stats().overflows >= 1
    monkeypatch.undo()
    wait_for_spare(journal)
    journal.append(click())
    assert journal.stats().segments == journal.stats().overflows + 2, "the spare takes over as soon as there is one"
    journal.close()
    assert sorted(read_journal(tmp_path)) == sorted([*payloads, click()])


def test_half_a_record_on_a_full_disk_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = opened(tmp_path, "written")
    assert journal.append(b"before")
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: write(fd, data[: len(data) // 2]))
        assert not journal.append(b"in the middle of which the disk is full")
        patch.setattr(os, "write", fail_with_full_disk)
        assert not journal.append(b"nothing")
    assert journal.append(b"after")
    assert read_journal(tmp_path) == [b"before", b"after"]
    assert journal.stats().dropped == 2
    journal.close()


def test_a_disk_that_fails_to_sync_is_counted_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(journal_module, "_fdatasync", fail)
    journal = opened(tmp_path)
    journal.append(click())
    journal.close()
    assert journal.stats().sync_failures == 1
    assert read_journal(tmp_path) == [click()]


def test_opening_on_a_full_disk_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment, "_fill", fail_with_full_disk)
    with pytest.raises(JournalError, match=r"65536 bytes could be made in .*: No space left on device; free space"):
        opened(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [0, SMALL - 1, 1 << 31])
def test_a_segment_size_out_of_bounds_is_refused(tmp_path: Path, size: int) -> None:
    with pytest.raises(JournalError, match=f"{size} bytes; choose from 65536 to"):
        Journal(tmp_path, size)


def test_stats_of_processes_add_up() -> None:
    one = JournalStats(appended=1, bytes=10, syncs=2, sync_seconds=0.5)
    two = JournalStats(appended=2, dropped=3, ready=False)
    assert one + two == JournalStats(appended=3, bytes=10, dropped=3, syncs=2, sync_seconds=0.5, ready=False)


def test_bytes_count_what_lies_in_the_files(folder: Folder) -> None:
    journal = folder.open_journal()
    for number in range(1000):
        journal.append(click(link=number))
    assert journal.stats().bytes == 1000 * ((len(click()) + 15) & -8)
    journal.close()
    assert journal.stats().bytes == 1000 * ((len(click()) + 15) & -8)
