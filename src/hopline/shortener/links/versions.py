"""The version table: how an edit in one process ends what every other process has cached, at once.

A mapped file of 65,536 counters is shared by all processes of a machine; a code belongs to the counter (slot)
of its hash. Even means quiet, odd means an edit of some code of this slot is under way.

- A reader notes the slot's version, then reads the database, and caches the row under that version. It uses a
  cached row only while the slot still has that version, and caches nothing under an odd one.
- An editor makes the slot odd, commits, and makes it even and new.

Whatever the interleaving, a row read before a commit is cached under a version from before that commit's
last step, and so is never used after it. An editor killed in between leaves the slot odd: its codes are read
from the database each time, slower and right, until `repair` at the next start. Editors exclude one another
by a lock file, since two of them on one slot could each undo the other's sign.

A slot is eight aligned bytes, written and read as one machine word.
"""

import fcntl
import mmap
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self
from zlib import crc32

__all__ = ["SLOTS", "VersionTable"]

SLOTS: Final = 65_536
_SIZE: Final = SLOTS * 8


class VersionTable:
    """The table in one process. `slot` and `slots` may be used by any thread; open it after forking."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._map: mmap.mmap | None = None
        self._lock_fd = -1
        self._editing = threading.Lock()  # flock does not exclude threads that share a descriptor
        self._slots: memoryview = memoryview(bytearray(8)).cast("Q")

    def open(self) -> None:
        """Map the file, made where it is missing. OSError where the folder can't hold it."""
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(fd).st_size != _SIZE:
                os.ftruncate(fd, _SIZE)
            self._map = mmap.mmap(fd, _SIZE)
        finally:
            os.close(fd)
        self._slots = memoryview(self._map).cast("Q")
        self._lock_fd = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def close(self) -> None:
        """Unmap. Idempotent."""
        if self._map is None:
            return
        self._slots.release()
        self._map.close()
        self._map = None
        os.close(self._lock_fd)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def slots(self) -> memoryview:
        """The counters, by slot. For reading."""
        return self._slots

    def slot(self, code: str) -> int:
        """The slot of `code`: the same in every process."""
        return crc32(code.encode()) & (SLOTS - 1)

    @contextmanager
    def editing(self, codes: Iterable[str]) -> Iterator[None]:
        """Inside, the slots of `codes` are odd and no other edit runs on this machine; commit inside."""
        slots = {self.slot(code) for code in codes}
        with self._editing:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX)
            try:
                before = {slot: self._slots[slot] for slot in slots}
                for slot, version in before.items():
                    self._slots[slot] = version | 1
                try:
                    yield
                finally:
                    for slot, version in before.items():
                        # Also from an odd one that a killed editor left behind: the row is read anew after this.
                        self._slots[slot] = (version | 1) + 1
            finally:
                fcntl.flock(self._lock_fd, fcntl.LOCK_UN)

    def repair(self) -> int:
        """Make odd slots even; how many. For the start of a server, while nobody else has the table open."""
        odd = [slot for slot in range(SLOTS) if self._slots[slot] & 1]
        for slot in odd:
            self._slots[slot] += 1
        return len(odd)
