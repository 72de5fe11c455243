"""What `hopline doctor` finds, on real folders, files, locks and sockets."""

import fcntl
import os
import shutil
import socket
import sqlite3
from collections import namedtuple
from contextlib import closing
from pathlib import Path

import pytest

from hopline.cli import checks
from hopline.cli.checks import Check, Level, run_checks
from hopline.shortener.clicks.journal import Journal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder in order."""
    path = tmp_path / "data"
    path.mkdir(mode=0o700)
    for name in ("links.db", "clicks.db"):
        with closing(sqlite3.connect(path / name)) as connection:
            connection.execute("CREATE TABLE t (a)")
            connection.executemany("INSERT INTO t VALUES (?)", [("x" * 500,)] * 200)
            connection.commit()
    (path / "secret.key").write_bytes(b"x")
    (path / "secret.key").chmod(0o600)
    return path


def found(folder: Path, name: str, port: int = 0) -> Check:
    return next(check for check in run_checks(folder, "127.0.0.1", port) if check.name == name)


def test_a_folder_in_order_has_nothing_to_complain_about(folder: Path) -> None:
    assert [check for check in run_checks(folder, "127.0.0.1", 0) if check.level is Level.FAIL] == []


def test_whatever_is_wrong_comes_with_what_to_do(folder: Path, tmp_path: Path) -> None:
    (folder / "secret.key").chmod(0o644)
    for where in (folder, tmp_path / "missing", folder / "secret.key"):
        assert all(check.advice for check in run_checks(where, "127.0.0.1", 1) if check.level is not Level.OK)


def test_a_key_that_others_can_read_fails(folder: Path) -> None:
    (folder / "secret.key").chmod(0o640)
    assert found(folder, "secret.key").level is Level.FAIL


def test_a_damaged_database_fails(folder: Path) -> None:
    with (folder / "links.db").open("r+b") as file:
        file.seek(4096 * 3)
        file.write(os.urandom(4096 * 5))
    assert found(folder, "links.db").level is Level.FAIL
    (folder / "clicks.db").write_bytes(b"no database" * 1000)
    assert found(folder, "clicks.db").level is Level.FAIL


def test_a_new_installation_is_no_failure(tmp_path: Path) -> None:
    levels = {check.name: check.level for check in run_checks(tmp_path / "new", "127.0.0.1", 0)}
    assert levels["data folder"] is Level.WARN
    assert Level.FAIL not in levels.values()
    assert not (tmp_path / "new").exists()


def test_a_used_port_fails_unless_the_folders_own_server_uses_it(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert found(folder, "port", port).level is Level.FAIL
        with (folder / "lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert found(folder, "port", port).level is Level.OK


def test_clicks_not_yet_counted_are_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(folder / "journal", 1 << 16)
    journal.open()
    for _ in range(100):
        journal.append(b"x" * 300)
    try:
        check = found(folder, "journal")
        assert (check.level, check.found.split(", ")[1]) == (Level.OK, "30 KiB not yet counted")
        monkeypatch.setattr(checks, "_LARGE_BACKLOG", 10_000)
        assert found(folder, "journal").level is Level.WARN
    finally:
        journal.close()


@pytest.mark.parametrize(("free", "level"), [(1 << 20, Level.FAIL), (1 << 30, Level.WARN), (1 << 40, Level.OK)])
def test_free_space_is_judged(folder: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: Level) -> None:
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 - the shape shutil answers with
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(free, 0, free))
    assert found(folder, "free space").level is level


@pytest.mark.parametrize(
    ("kind", "level"), [("ext4", Level.OK), ("nfs4", Level.FAIL), ("tmpfs", Level.WARN), ("unknown", Level.OK)]
)
def test_the_kind_of_file_system_is_judged(
    folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str, level: Level
) -> None:
    monkeypatch.setattr(checks, "_mount_kind", lambda path: kind)
    assert found(folder, "file system").level is level


def test_a_clock_that_was_never_set_fails(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hopline.cli.checks.time.time", lambda: 1000.0)
    assert found(folder, "clock").level is Level.FAIL


def test_a_missing_library_names_the_way_to_get_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_LIBRARIES", ("uvloop", "httptools-of-another-world"))
    check = found(folder, "httptools-of-another-world")
    assert (check.level, check.advice) == (Level.FAIL, "pip install 'hopline[shortener]'")
