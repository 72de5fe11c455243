"""A backup's files: what is written is read back, and nothing else is."""

import io
import tarfile
from pathlib import Path

import msgspec
import pytest

from hopline.cli.archive import MANIFEST, Entry, Manifest, make_manifest, open_backup, write_tar
from hopline.cli.errors import CliError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A backup as a folder."""
    path = tmp_path / "backup"
    (path / "journal").mkdir(parents=True)
    (path / "links.db").write_bytes(b"links" * 1000)
    (path / "journal" / "1.seg").write_bytes(b"clicks")
    make_manifest(path, "1.0", "2026-01-01T00:00:00+00:00", lambda name: None)
    return path


def tar_of(folder: Path) -> Path:
    target = folder.parent / "backup.tar"
    manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    write_tar(folder, target, manifest, lambda name: None)
    return target


@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_every_file_comes_back_as_it_was(folder: Path, tmp_path: Path, kind: str) -> None:
    source = folder if kind == "folder" else tar_of(folder)
    with open_backup(source) as backup:
        assert [entry.name for entry in backup.manifest.files] == ["journal/1.seg", "links.db"]
        for entry in backup.manifest.files:
            backup.extract(entry, tmp_path / "copy")
            assert (tmp_path / "copy").read_bytes() == (folder / entry.name).read_bytes()
            (tmp_path / "copy").unlink()


def test_a_tar_is_for_its_owner_only_and_begins_with_the_manifest(folder: Path) -> None:
    target = tar_of(folder)
    assert target.stat().st_mode & 0o077 == 0
    with tarfile.open(target) as tar:
        assert tar.getnames()[0] == MANIFEST


@pytest.mark.parametrize("damage", [b"Links" + b"links" * 999, b"links", b"links" * 1001])
def test_a_damaged_file_is_noticed(folder: Path, tmp_path: Path, damage: bytes) -> None:
    (folder / "links.db").write_bytes(damage)
    with open_backup(folder) as backup, pytest.raises(CliError, match=r"'links\.db' is damaged in this backup"):
        backup.extract(backup.manifest.files[1], tmp_path / "copy")


@pytest.mark.parametrize(
    "name",
    ["../evil", "/etc/passwd", "journal/../../evil", "journal/", "journal/..", "other", "links.db\n", "links.db"],
)
def test_a_manifest_can_only_name_what_a_backup_has(folder: Path, name: str) -> None:
    manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    manifest.files.append(Entry(name, 0, ""))
    (folder / MANIFEST).write_bytes(msgspec.json.encode(manifest))
    with pytest.raises(CliError, match="isn't a backup of Hopline"), open_backup(folder):
        pass


def test_a_newer_format_names_the_version_that_reads_it(folder: Path) -> None:
    manifest = msgspec.structs.replace(msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest), format=2)
    (folder / MANIFEST).write_bytes(msgspec.json.encode(manifest))
    with pytest.raises(CliError, match=r"restore it with Hopline 1\.0"), open_backup(folder):
        pass


def test_what_is_no_backup_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    (tmp_path / "empty").mkdir()
    with tarfile.open(tmp_path / "other.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("x"), io.BytesIO())
    for name in ("text", "empty", "other.tar", "missing"):
        with pytest.raises(CliError), open_backup(tmp_path / name):
            pass


def test_a_link_in_a_tar_is_not_followed(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "evil.tar"
    with tarfile.open(source, "w") as tar:
        tar.add(folder / MANIFEST, MANIFEST)
        link = tarfile.TarInfo("links.db")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with open_backup(source) as backup, pytest.raises(CliError):
        backup.extract(backup.manifest.files[1], tmp_path / "copy")
