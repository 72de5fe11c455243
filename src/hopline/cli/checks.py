"""What `hopline doctor` looks at: each check is a function that returns what it found and what to do about it."""

import fcntl
import importlib.metadata
import os
import platform
import resource
import shutil
import socket
import sqlite3
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

__all__ = ["Check", "Level", "run_checks"]

_LIBRARIES: Final = ("uvloop", "httptools", "msgspec", "jinja2", "typer", "rich")
_LEAST_FREE: Final = 256 * 1024 * 1024
_FEW_FREE: Final = 2 * 1024 * 1024 * 1024
_FEW_FILES: Final = 4096
_OLDEST_SQLITE: Final = (3, 38, 0)  # STRICT tables, unixepoch()
_RELEASED: Final = 1_767_225_600  # 2026-01-01: no clock that is right shows less
_LARGE_BACKLOG: Final = 64 * 1024 * 1024
_NETWORK: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs", "ceph"})


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding; `advice` says what to do unless it is OK."""

    name: str
    level: Level
    found: str
    advice: str = ""


def run_checks(folder: Path, host: str, port: int) -> Iterator[Check]:
    """Every check in order, the fundamental ones first; none changes anything."""
    yield _python()
    yield from _libraries()
    yield _sqlite()
    yield _clock()
    yield _open_files()
    exists = _exists(folder)
    yield exists
    if exists.level is Level.OK:
        yield _writable(folder)
        yield _private(folder)
        yield from _key_files(folder)
        for name in ("links.db", "clicks.db"):
            yield _database(folder / name)
        yield _journal(folder)
    yield _space(folder)
    yield _file_system(folder)
    yield _port(host, port, running=_in_use(folder))


def _python() -> Check:
    version = platform.python_version()
    found = f"{version} on {platform.system()} {platform.machine()}"
    if sys.platform not in ("linux", "darwin"):
        return Check("python", Level.FAIL, found, "Hopline runs on Linux and macOS")
    return Check("python", Level.OK, found)


def _libraries() -> Iterator[Check]:
    for name in _LIBRARIES:
        try:
            yield Check(name, Level.OK, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            if name == "uvloop":
                yield Check(name, Level.WARN, "missing: asyncio's slower loop is used", "pip install uvloop")
            else:
                yield Check(name, Level.FAIL, "missing", "pip install 'hopline[shortener]'")


def _sqlite() -> Check:
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        return Check("sqlite", Level.FAIL, sqlite3.sqlite_version, "use a Python with SQLite 3.38 or later")
    return Check("sqlite", Level.OK, sqlite3.sqlite_version)


def _clock() -> Check:
    now = time.time()
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < _RELEASED:
        return Check("clock", Level.FAIL, shown, "set the clock: clicks and expiry depend on it")
    return Check("clock", Level.OK, shown)


def _open_files() -> Check:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = f"{soft:,} (may be raised to {hard:,})"
    if soft < _FEW_FILES:
        return Check("open files", Level.WARN, found, f"each connection needs one; run `ulimit -n {_FEW_FILES}`")
    return Check("open files", Level.OK, found)


def _exists(folder: Path) -> Check:
    if not folder.exists():
        return Check("data folder", Level.WARN, f"{folder} isn't there", "`hopline serve` makes it")
    if not folder.is_dir():
        return Check("data folder", Level.FAIL, f"{folder} is no folder", "name another with --data-dir")
    return Check("data folder", Level.OK, str(folder))


def _writable(folder: Path) -> Check:
    if not os.access(folder, os.W_OK | os.X_OK):
        user = os.geteuid()
        return Check("writable", Level.FAIL, f"not for user {user}", f"run: chown -R {user} {folder}")
    return Check("writable", Level.OK, "yes")


def _private(folder: Path) -> Check:
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & stat.S_IWOTH:
        return Check("permissions", Level.FAIL, f"{mode:o}: anyone may write", f"run: chmod o-w {folder}")
    return Check("permissions", Level.OK, f"{mode:o}")


def _key_files(folder: Path) -> Iterator[Check]:
    for name in ("secret.key", "visitor.key"):
        path = folder / name
        if not path.exists():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            yield Check(name, Level.FAIL, f"{mode:o}: others can read it", f"run: chmod 600 {path}")
        else:
            yield Check(name, Level.OK, f"{mode:o}")


def _database(path: Path) -> Check:
    if not path.exists():
        return Check(path.name, Level.WARN, "isn't there yet", "`hopline serve` makes it")
    try:
        with _reading(path) as connection:
            result = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        result = str(error)
    if result != "ok":
        return Check(path.name, Level.FAIL, result, "stop the server and restore a backup: `hopline restore`")
    return Check(path.name, Level.OK, f"sound, {_size(path.stat().st_size)}")


def _journal(folder: Path) -> Check:
    """How many bytes of clicks are written and not yet counted."""
    from hopline.shortener.clicks.positions import Positions
    from hopline.shortener.clicks.segment import segment_names

    names = segment_names(folder / "journal") if (folder / "journal").is_dir() else []
    positions = Positions()
    try:
        with _reading(folder / "clicks.db") as connection:
            positions.load(connection)
    except sqlite3.Error:
        pass  # not there yet, or unreadable, which the check of the database says
    waiting = sum(_uncounted(folder / "journal" / name, positions[name].position) for name in names)
    found = f"{len(names)} segments, {_size(waiting)} not yet counted"
    if waiting > _LARGE_BACKLOG:
        return Check("journal", Level.WARN, found, "start the server if it is down, else see its log")
    return Check("journal", Level.OK, found)


def _uncounted(segment: Path, position: int) -> int:
    from hopline.shortener.clicks.reading import SegmentReader

    reader = SegmentReader(segment, position)
    try:
        reader.open()
        return reader.unread_bytes()
    except FileNotFoundError:  # counted and removed in this moment
        return 0
    finally:
        reader.close()


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that can't change anything; sqlite3.Error where there is no such file."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)
    try:
        yield connection
    finally:
        connection.close()


def _space(folder: Path) -> Check:
    free = shutil.disk_usage(_nearest(folder)).free
    if free < _LEAST_FREE:
        return Check("free space", Level.FAIL, _size(free), "free some: a full disk stops creation and clicks")
    if free < _FEW_FREE:
        return Check("free space", Level.WARN, _size(free), "free some before it runs out")
    return Check("free space", Level.OK, _size(free))


def _file_system(folder: Path) -> Check:
    kind = _mount_kind(_nearest(folder).resolve())
    if kind in _NETWORK:
        return Check("file system", Level.FAIL, kind, "SQLite's locks need a local disk; move the data folder")
    if kind in ("tmpfs", "ramfs"):
        return Check("file system", Level.WARN, f"{kind}: gone after a restart", "move the data folder to a disk")
    return Check("file system", Level.OK, kind)


def _port(host: str, port: int, *, running: bool) -> Check:
    where = f"{host}:{port}"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if running:
                return Check("port", Level.OK, f"{where} in use, and a server runs on this data folder")
            return Check("port", Level.FAIL, f"{where}: {error.strerror}", "stop what uses it, or take --port")
    return Check("port", Level.OK, f"{where} is free")


def _in_use(folder: Path) -> bool:
    """Whether a server holds the folder's lock."""
    try:
        with (folder / "lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _nearest(folder: Path) -> Path:
    """The folder, or the closest one above it that exists."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def _mount_kind(path: Path) -> str:
    """The kind of file system `path` is on, from the longest mount point above it."""
    try:
        lines = Path("/proc/self/mounts").read_text(errors="replace").splitlines()
    except OSError:
        return "unknown"
    mounts = [(fields[1], fields[2]) for fields in map(str.split, lines) if len(fields) > 2]
    above = [(len(point), kind) for point, kind in mounts if path.is_relative_to(point)]
    return max(above, default=(0, "unknown"))[1]


def _size(count: int) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:,.0f} {unit}"
        count //= 1024
    return f"{count:,} TiB"
