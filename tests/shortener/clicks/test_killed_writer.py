"""kill -9 of a process that appends: every append that returned is read back."""

import random
import time
from pathlib import Path

import pytest

from hopline.shortener.clicks.event import unpack
from tests.shortener.clicks.child_process import child, kill, read_reports
from tests.shortener.clicks.clicking import Folder, read_journal


def links(directory: Path) -> list[int]:
    return sorted(unpack(payload).link_id for payload in read_journal(directory))


@pytest.mark.parametrize("mode", ["mapped", "written"])
@pytest.mark.parametrize("seed", range(3))
def test_killed_at_random_every_reported_click_is_there_once(tmp_path: Path, mode: str, seed: int) -> None:
    with child("append", str(tmp_path), mode, "0") as process:
        read_reports(process, 300)
        time.sleep(random.Random(seed).random() / 20)  # any moment of its work will do
        reported = kill(process)
    found = links(tmp_path)
    assert reported >= 300
    assert found == list(range(1, len(found) + 1)), "none is missing and none is there twice"
    assert reported <= len(found) <= reported + 1, "one more may have been in flight"


@pytest.mark.parametrize("mode", ["mapped", "written"])
@pytest.mark.parametrize("number", [1, 700, 1500])
def test_killed_right_after_an_append_the_click_is_there(tmp_path: Path, mode: str, number: int) -> None:
    with child("append", str(tmp_path), mode, str(number)) as process:
        assert process.wait(60) == -9
    assert links(tmp_path) == list(range(1, number + 1))


def test_segments_of_a_killed_writer_are_finished_while_a_living_one_goes_on(folder: Folder) -> None:
    living = folder.open_journal()
    living.append(b"")
    with child("append", str(folder.journal), "mapped", "50") as process:
        assert process.wait(60) == -9
    ingester = folder.ingester()
    report = ingester.run_once()
    # The killed one's segment, and its spare if it had one ready; not the living one's.
    assert report.finished == 1
    assert report.records == 51
    assert all(path.exists() for path in folder.segments())
    ingester.close()
    living.close()
