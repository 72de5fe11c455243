"""Backups of a running server, and what comes back from them."""

import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from hopline.testing import free_port
from tests.cli.real import HOPLINE, Hopline, follow, one_number, serving, until


@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_a_backup_of_a_busy_server_comes_back_whole(
    hopline: Hopline, many: Path, environment: dict[str, str], data_dir: Path, tmp_path: Path, kind: str
) -> None:
    short = hopline("shorten", "https://example.com/", "--code", "kept").out.strip()
    for _ in range(5):
        follow(short)
    progress = Path(f"{many}.progress")
    target = tmp_path / ("backup.tar" if kind == "tar" else "backup")
    with subprocess.Popen([*HOPLINE, "import", str(many)], env=environment, stderr=subprocess.PIPE) as process:
        until(lambda: progress.exists() and b'"done"' in progress.read_bytes(), process=process)
        ran = hopline("backup", target, "--data-dir", data_dir)
        assert ran.status == 0, ran.err
        assert process.wait(timeout=60) == 0
    after = {hopline("shorten", f"https://late.example/{n}").out.strip().rsplit("/", 1)[1] for n in range(3)}
    restored = tmp_path / "restored"
    ran = hopline("restore", target, "--data-dir", restored)
    assert ran.status == 0, ran.err
    assert (restored / "secret.key").read_bytes() == (data_dir / "secret.key").read_bytes()
    assert not (restored / "visitor.key").exists()
    with serving(restored, free_port()) as other:
        url = "http://{}:{}".format(*other.address)
        assert follow(f"{url}/kept") == (302, "https://example.com/")
        until(lambda: json.loads(hopline("stats", "kept", "--json", "--server", url).out)["clicks"] == 6)
        codes = {hopline("shorten", "https://new.example/", "--server", url).out.strip().rsplit("/", 1)[1]}
        assert not codes & after
    assert (
        one_number(restored, "SELECT next FROM counter") > one_number(data_dir, "SELECT next FROM counter") + 1_000_000
    )  # past whatever was given out since
    assert "isn't empty" in hopline("restore", target, "--data-dir", restored).err


def test_a_damaged_database_ends_a_backup_in_one_line(hopline: Hopline, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "links.db").write_bytes(b"no database" * 1000)
    ran = hopline("backup", tmp_path / "b", "--data-dir", tmp_path / "broken")
    assert (ran.status, ran.err.count("\n")) == (1, 1)
    assert ran.err.startswith("hopline: no backup was made: ")
    assert not (tmp_path / "b").exists()


def test_a_restore_needs_an_empty_folder_without_a_server(hopline: Hopline, data_dir: Path, tmp_path: Path) -> None:
    assert hopline("backup", tmp_path / "b", "--data-dir", data_dir).status == 0
    assert "in use by process" in hopline("restore", tmp_path / "b", "--data-dir", data_dir).err
    assert "exists already" in hopline("backup", tmp_path / "b", "--data-dir", data_dir).err
    (tmp_path / "b" / "links.db").write_bytes(b"damaged")
    ran = hopline("restore", tmp_path / "b", "--data-dir", tmp_path / "r")
    assert (ran.status, "damaged" in ran.err) == (1, True)
    assert [path.name for path in (tmp_path / "r").iterdir()] == ["lock"]  # nothing was put in place


def test_a_backup_is_for_its_owner_only(hopline: Hopline, data_dir: Path, tmp_path: Path) -> None:
    hopline("backup", tmp_path / "b.tar", "--data-dir", data_dir)
    hopline("backup", tmp_path / "b", "--data-dir", data_dir)
    assert (tmp_path / "b.tar").stat().st_mode & 0o077 == 0
    assert (tmp_path / "b").stat().st_mode & 0o077 == 0
    with tarfile.open(tmp_path / "b.tar") as tar:
        assert {"manifest.json", "links.db", "secret.key"} <= set(tar.getnames())
    assert [path.name for path in tmp_path.glob(".hopline-backup-*")] == []
