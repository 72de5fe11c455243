import shutil
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from hopline.shortener.clicks.backup import copy_journal
from hopline.shortener.clicks.event import unpack
from tests.shortener.clicks.clicking import Folder, click, read_journal


def copied(folder: Folder, name: str) -> Folder:
    target = Folder(folder.path / name, folder.clock)
    copy_journal(folder.journal, folder.database, target.path)
    return target


def total(folder: Folder) -> int:
    with closing(folder.ingester()) as ingester:
        while ingester.run_once().records:
            pass
    with closing(sqlite3.connect(folder.database)) as connection:
        number: int = connection.execute("SELECT coalesce(sum(clicks), 0) FROM totals").fetchone()[0]
        return number


def test_a_copy_counts_what_was_counted_and_what_was_not_once_each(folder: Folder) -> None:
    journal = folder.open_journal()
    for _ in range(300):
        journal.append(click())
    with closing(folder.ingester()) as ingester:
        ingester.run_once()
        for _ in range(200):
            journal.append(click())
        assert total(copied(folder, "backup")) == 500
    journal.close()


def test_finished_segments_and_empty_spares_are_left_out(folder: Folder) -> None:
    folder.write(*[click()] * 10)
    with closing(folder.ingester()) as ingester:
        ingester.run_once()
    journal = folder.open_journal()
    journal.append(click())
    report = copy_journal(folder.journal, folder.database, folder.path / "backup")
    journal.close()
    assert (report.segments, report.bytes) == (1, (len(click()) + 15) & -8)
    assert total(Folder(folder.path / "backup", folder.clock)) == 11


def test_without_a_database_the_journal_is_all_there_is(folder: Folder) -> None:
    folder.write(*[click()] * 10)
    assert total(copied(folder, "backup")) == 10


def test_an_empty_data_folder_is_an_empty_copy(folder: Folder) -> None:
    assert total(copied(folder, "backup")) == 0


def test_copies_made_while_clicks_are_written_and_counted_are_each_of_one_moment(folder: Folder) -> None:
    stop = threading.Event()
    journal = folder.open_journal()
    appended = 0
    copies: list[tuple[Folder, int, int]] = []

    def ingest() -> None:
        with closing(folder.ingester(batch_records=50)) as ingester:
            ingester.run(stop)

    def copy(name: str, before: int) -> None:
        copies.append((copied(folder, name), before, appended))

    with ThreadPoolExecutor(2) as threads:
        ingesting = threads.submit(ingest)
        try:
            for number in range(4):
                copying = threads.submit(copy, f"backup{number}", appended)
                for _ in range(2000):
                    appended += 1
                    assert journal.append(click(link=appended))
                copying.result(60)
        finally:
            stop.set()
        ingesting.result(60)
    journal.close()
    for copy_folder, before, after in copies:
        assert before <= total(copy_folder) <= after + 1
        with closing(sqlite3.connect(copy_folder.database)) as connection:
            counted = connection.execute("SELECT count(*), min(link), max(link), max(clicks) FROM totals").fetchone()
        # None twice, and none missing before one that is there.
        assert counted in [(0, None, None, None), (counted[2], 1, counted[2], 1)]


def test_a_damaged_segment_is_copied_with_all_that_can_be_read(folder: Folder) -> None:
    folder.write(*[click(link=number) for number in range(20)])
    path = folder.segments()[0]
    content = bytearray(path.read_bytes())
    content[1000] ^= 0xFF
    path.write_bytes(content)
    target = copied(folder, "backup")
    shutil.rmtree(folder.journal)
    assert len({unpack(payload).link_id for payload in read_journal(target.journal)}) == 19


def test_a_database_that_has_no_tables_yet_is_copied(folder: Folder) -> None:
    folder.write(click())
    folder.database.touch()
    assert total(copied(folder, "backup")) == 1
