"""The version table: an edit in one process ends what another has cached."""

import multiprocessing
import os
import signal
import socket
from pathlib import Path

import pytest

from hopline.shortener.links.versions import SLOTS, VersionTable

FORK = multiprocessing.get_context("fork")


def test_an_edit_makes_the_slot_odd_and_then_new(tmp_path: Path) -> None:
    with VersionTable(tmp_path / "v") as table:
        slot = table.slot("abc")
        with table.editing(["abc", "other"]):
            during = table.slots[slot]
        after = table.slots[slot]

    assert during % 2 == 1
    assert after % 2 == 0
    assert after > 0


def test_an_edit_that_fails_still_ends(tmp_path: Path) -> None:
    with VersionTable(tmp_path / "v") as table:
        with pytest.raises(ZeroDivisionError), table.editing(["abc"]):
            raise ZeroDivisionError
        with table.editing(["abc"]):
            pass

        assert table.slots[table.slot("abc")] == 4


def test_another_process_sees_the_edit(tmp_path: Path) -> None:
    def edit() -> None:
        with VersionTable(tmp_path / "v") as theirs, theirs.editing(["abc"]):
            pass

    with VersionTable(tmp_path / "v") as ours:
        child = FORK.Process(target=edit)
        child.start()
        child.join(10)

        assert ours.slots[ours.slot("abc")] == 2


def test_a_killed_editor_leaves_its_slot_odd_until_repaired_or_edited(tmp_path: Path) -> None:
    inside, told = socket.socketpair()

    def die() -> None:
        with VersionTable(tmp_path / "v") as theirs, theirs.editing(["abc", "xyz"]):
            told.send(b"!")
            signal.pause()

    with VersionTable(tmp_path / "v") as ours:
        child = FORK.Process(target=die)
        child.start()
        assert inside.recv(1) == b"!"
        os.kill(child.pid or 0, signal.SIGKILL)
        child.join(10)
        assert ours.slots[ours.slot("abc")] % 2 == 1
        with ours.editing(["xyz"]):  # the lock went with the process that held it
            pass
        assert ours.slots[ours.slot("xyz")] % 2 == 0

        assert ours.repair() == 1
        assert ours.slots[ours.slot("abc")] % 2 == 0
    inside.close()
    told.close()


def test_editors_of_many_processes_never_share_a_moment(tmp_path: Path) -> None:
    """Each adds to a plain file inside its edits; without exclusion, additions are lost."""
    counter = tmp_path / "counter"
    counter.write_text("0")

    def edit() -> None:
        with VersionTable(tmp_path / "v") as table:
            for _ in range(50):
                with table.editing(["abc"]):
                    counter.write_text(str(int(counter.read_text()) + 1))

    children = [FORK.Process(target=edit) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join(30)

    assert counter.read_text() == "200"
    with VersionTable(tmp_path / "v") as table:
        assert table.slots[table.slot("abc")] == 400


def test_slots_spread_and_are_the_same_everywhere(tmp_path: Path) -> None:
    with VersionTable(tmp_path / "v") as table:
        slots = {table.slot(f"code{n}") for n in range(10_000)}

        assert len(slots) > 9_000
        assert max(slots) < SLOTS
        assert table.slot("abc123") == 0xCF02BB5C & (SLOTS - 1)  # crc32 of the text: no per-process hash
