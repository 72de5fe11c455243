"""What a backup is: files and a manifest that names each with its size and SHA-256, as a folder or as one tar.

A manifest is also the list of what may be restored: a name in it that isn't one of a backup's own, or a file
whose digest differs, ends the restore before anything is put in place.
"""

import hashlib
import os
import re
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from hopline.cli.errors import CliError

__all__ = ["MANIFEST", "Entry", "Manifest", "make_manifest", "open_backup", "sync_folder", "write_tar"]

MANIFEST: Final = "manifest.json"
FORMAT: Final = 1
_CHUNK: Final = 1024 * 1024
_LARGEST_MANIFEST: Final = 64 * 1024 * 1024
_NAME: Final = re.compile(r"(links\.db|clicks\.db|secret\.key|hopline\.toml|journal/[A-Za-z0-9._-]{1,128})\Z")


class Entry(msgspec.Struct, frozen=True):
    """One file of a backup; `name` is relative, with slashes."""

    name: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What is in a backup, by which version it was made and when it was begun (ISO 8601)."""

    format: int
    version: str
    created: str
    files: list[Entry]


def make_manifest(folder: Path, version: str, created: str, tick: Callable[[str], None]) -> Manifest:
    """Sync and list every file below `folder`, and put the manifest there; `tick(name)` before each file."""
    entries = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        tick(name)
        with path.open("rb") as file:
            os.fsync(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        entries.append(Entry(name, path.stat().st_size, digest))
    manifest = Manifest(FORMAT, version, created, entries)
    with (folder / MANIFEST).open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest), indent=2))
        file.flush()
        os.fsync(file.fileno())
    return manifest


def write_tar(folder: Path, target: Path, manifest: Manifest, tick: Callable[[str], None]) -> None:
    """Put a backup's folder into one tar file, the manifest first, readable by its owner only."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, for its mode
        with tarfile.open(fileobj=file, mode="w") as tar:
            for name in (MANIFEST, *(entry.name for entry in manifest.files)):
                tick(name)
                tar.add(folder / name, name)
        file.flush()
        os.fsync(file.fileno())


class Backup:
    """A backup to read from; see open_backup."""

    def __init__(self, manifest: Manifest, open_file: Callable[[str], BinaryIO]) -> None:
        self.manifest = manifest
        self._open_file = open_file

    def extract(self, entry: Entry, target: Path) -> None:
        """Copy one file to `target`, its size and digest checked on the way. CliError where they differ."""
        digest = hashlib.sha256()
        size = 0
        with self._open_file(entry.name) as source, target.open("xb") as copy:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
                copy.write(chunk)
            copy.flush()
            os.fsync(copy.fileno())
        if (size, digest.hexdigest()) != (entry.size, entry.sha256):
            raise CliError(f"{entry.name!r} is damaged in this backup: its checksum differs; restore another one")


@contextmanager
def open_backup(source: Path) -> Iterator[Backup]:
    """The backup in a folder or tar. CliError where there is none, or where it isn't one."""
    try:
        if source.is_dir():
            manifest = (source / MANIFEST).read_bytes()
            yield Backup(_read(manifest, source), lambda name: (source / name).open("rb"))
        else:
            with tarfile.open(source, "r:") as tar:
                with _member(tar, MANIFEST) as file:
                    manifest = file.read(_LARGEST_MANIFEST)
                yield Backup(_read(manifest, source), lambda name: _member(tar, name))
    except FileNotFoundError as error:
        raise CliError(f"no backup at {str(source)!r}: {error.filename} isn't there") from error
    except tarfile.TarError as error:
        raise CliError(f"{str(source)!r} isn't a backup's tar: {error}") from error


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _member(tar: tarfile.TarFile, name: str) -> BinaryIO:
    try:
        file = tar.extractfile(name)
    except KeyError:
        file = None
    if file is None:
        raise CliError(f"{name!r} isn't in this backup; restore another one")
    return file  # type: ignore[return-value]  # IO[bytes], which reads and closes like a BinaryIO


def _read(content: bytes, source: Path) -> Manifest:
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
        datetime.fromisoformat(manifest.created)
    except (msgspec.MsgspecError, ValueError) as error:
        raise CliError(f"{str(source)!r} has no readable manifest ({error}); restore another backup") from error
    if manifest.format != FORMAT:
        raise CliError(
            f"{str(source)!r} is of format {manifest.format} and this version reads {FORMAT}; "
            f"restore it with Hopline {manifest.version}"
        )
    names = [entry.name for entry in manifest.files]
    strange = [name for name in names if not _NAME.match(name) or name.split("/")[-1].startswith(".")]
    if strange or len(set(names)) < len(names) or "links.db" not in names:
        raise CliError(f"{str(source)!r} isn't a backup of Hopline: it holds {(strange or names)[:3]!r}")
    return manifest
