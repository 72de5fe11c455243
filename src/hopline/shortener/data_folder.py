"""The folder that holds everything: made, locked, and recognised.

One server a folder: the supervisor holds a lock for its life. Which folders have been used is noted in the
user's state directory, so that a start in a new, empty folder can say where the links of last time are.
"""

import fcntl
import os
import secrets
from pathlib import Path
from typing import Final

import platformdirs

from hopline.errors import HoplineError

__all__ = ["DataFolder", "DataFolderError"]

REMEMBERED: Final = 10  # folders


class DataFolderError(HoplineError):
    """The data folder can't be used; the message says why and what to do."""


class DataFolder:
    """Paths in one data folder. `open` makes it; `lock` keeps other servers out until `close`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.links_db = path / "links.db"
        self.clicks_db = path / "clicks.db"
        self.journal = path / "journal"
        self.versions = path / "versions.map"
        self._lock_fd = -1

    def open(self) -> None:
        """Make the folder, readable by its owner alone. DataFolderError where that fails."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            probe = self.path / f".probe-{os.getpid()}"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise DataFolderError(
                f"data folder {str(self.path)!r} can't be written: {error.strerror}; "
                "give this user the right to it, or choose another with --data-dir"
            ) from error

    def lock(self) -> None:
        """Keep other servers out of the folder. DataFolderError naming the process that holds it."""
        fd = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(fd)
            raise DataFolderError(
                f"data folder {str(self.path)!r} is in use by process {holder}; "
                "stop that server, or choose another folder with --data-dir"
            ) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._lock_fd = fd

    def close(self) -> None:
        """Let go of the lock. Idempotent."""
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    @property
    def is_new(self) -> bool:
        """Whether no server has ever kept links here."""
        return not self.links_db.exists()

    def secret(self) -> bytes:
        """The key that signs sessions, made at the first start; 32 random bytes."""
        path = self.path / "secret.key"
        if not path.exists():
            # Written aside and linked into place, so that a crash can't leave an empty key behind.
            aside = self.path / f".secret-{secrets.token_hex(8)}"
            fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(secrets.token_bytes(32))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(aside, path)
            except FileExistsError:
                pass  # another process was first
            finally:
                aside.unlink()
        return path.read_bytes()

    def others(self) -> list[Path]:
        """Folders used before that still hold links, the last used one first."""
        default = platformdirs.user_data_path("hopline")
        seen = [*_remembered(), default]
        here = self.path.resolve()
        known = dict.fromkeys(path for path in seen if path.resolve() != here and (path / "links.db").exists())
        return list(known)

    def remember(self) -> None:
        """Note this folder as the last one used. Failing to is no reason not to serve."""
        here = self.path.resolve()
        paths = [here, *(path for path in _remembered() if path != here)][:REMEMBERED]
        try:
            note = _note()
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text("".join(f"{path}\n" for path in paths))
        except OSError:
            pass


def _note() -> Path:
    return platformdirs.user_state_path("hopline") / "data-folders"


def _remembered() -> list[Path]:
    try:
        return [Path(line) for line in _note().read_text().splitlines() if line][:REMEMBERED]
    except (OSError, UnicodeDecodeError):
        return []
