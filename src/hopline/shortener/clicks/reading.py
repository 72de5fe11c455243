"""Reading a journal segment, while it is being written or after its writer has died.

Where no valid record follows, a segment with a living writer has simply not been written further: wait. One
without a writer has ended there, or is damaged: after a power cut whole pages may be missing (zeros) or torn
while later ones reached the disk. Then the next valid record is searched at every multiple of 8 bytes, and
what lies between is counted. The checksum starts from the segment's random id, so a record that a visitor
built into a user agent can't be taken for one.

Reads go through pread in large pieces: a copy costs less than a page fault, and a file that shrinks gives a
short read and not a SIGBUS.
"""

import fcntl
import os
from pathlib import Path
from typing import Final
from zlib import crc32

from hopline.shortener.clicks.segment import HEADER, MAGIC, MAX_PAYLOAD, MAX_RECORD, segment_seed

__all__ = ["SegmentReader", "parse", "writer_is_gone"]

FIRST_PIECE: Final = 1 << 16
LARGEST_PIECE: Final = 1 << 20
_MAGIC_BYTES: Final = MAGIC.to_bytes(2, "little")
_BLOCK: Final = 1 << 16  # larger than any record: an all-zero block lies behind the last one
_ZEROS: Final = bytes(LARGEST_PIECE + MAX_RECORD)

_unpack_from = HEADER.unpack_from


def parse(data: bytes, seed: int) -> tuple[list[bytes], int]:
    """The payloads of the valid records at the start of `data`, and the offset behind the last of them."""
    payloads: list[bytes] = []
    append = payloads.append
    at = 0
    size = len(data)
    room = size - HEADER.size
    while at <= room:
        magic, length, checksum = _unpack_from(data, at)
        start = at + 8
        end = start + length
        if magic != MAGIC or end > size:
            break
        payload = data[start:end]
        if crc32(payload, seed ^ length) != checksum:
            break
        append(payload)
        at = (end + 7) & -8
    return payloads, min(at, size)


def writer_is_gone(fd: int) -> bool:
    """Whether nobody holds the segment's lock, so that it will never grow again."""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(fd, fcntl.LOCK_UN)
    return True


class SegmentReader:
    """Reads one segment forward from `position`, which always stands at the start of a record.

    Not thread-safe. open() raises FileNotFoundError where the segment is gone; whoever opened it closes it.
    """

    def __init__(self, path: Path, position: int = 0, damaged: int = 0, skipped: int = 0) -> None:
        self.path = path
        self.position = position
        self.damaged = damaged  # stretches that had to be skipped
        self.skipped = skipped  # bytes in them
        self.finished = False  # nothing follows and nothing ever will
        self._seed = segment_seed(path.name)
        self._fd = -1

    def open(self) -> None:
        """Open the file; nothing is read yet."""
        self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        """Close the file. Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def read(self, records: int, size: int) -> list[bytes]:
        """Payloads, until there are `records` of them, or `size` bytes were read, or no more are there for now.

        Either bound may be passed by what is in one piece of 1 MiB.

        `finished` is set where the writer is gone and the end is reached.
        """
        # Asked before reading: what a writer that is gone by now has written is all there to be read.
        gone = writer_is_gone(self._fd)
        found: list[bytes] = []
        piece = FIRST_PIECE
        enough = self.position + size
        while len(found) < records and self.position < enough:
            data = os.pread(self._fd, piece, self.position)
            payloads, consumed = parse(data, self._seed)
            found += payloads
            self.position += consumed
            if len(data) == piece and consumed and len(data) - consumed < MAX_RECORD:
                piece = min(2 * piece, LARGEST_PIECE)
            elif not gone:
                break
            elif not self._find_next():
                self.finished = True
                break
        return found

    def unread_bytes(self) -> int:
        """How much is written behind the position, found by halving, not by reading."""
        size = os.fstat(self._fd).st_size
        low, high = self.position, size
        while high - low > _BLOCK:
            middle = (low + high) // 2
            if os.pread(self._fd, _BLOCK, middle).strip(b"\0"):
                low = middle
            else:
                high = middle
        used = os.pread(self._fd, _BLOCK, low).rstrip(b"\0")
        return low + len(used) - self.position

    def find_end(self) -> int:
        """Read to the last whole record there is now, and say where it ends. What a dead writer left is kept
        to the last byte in use, damage included."""
        while self.read(1, LARGEST_PIECE):
            pass
        return self.position

    def release_tail(self) -> None:
        """Give back the zeros behind the last record of a finished segment. Only the end is ever cut."""
        os.truncate(self.path, self.position)

    def _find_next(self) -> bool:
        """Move to the next valid record of a segment without a writer; at its end, to the last byte in use."""
        start = at = self.position
        last = start  # behind the last byte that is not zero
        while True:
            window = os.pread(self._fd, LARGEST_PIECE + MAX_RECORD, at)
            if window == _ZEROS:  # the usual end of a segment: comparing is over 50 times faster than searching
                at += LARGEST_PIECE
                continue
            found = _search(window, self._seed, 8 if at == start else 0)
            if found >= 0:
                self._skip(at + found)
                return True
            used = len(window.rstrip(b"\0"))
            if used:
                last = at + used
            if len(window) <= LARGEST_PIECE:
                break
            at += LARGEST_PIECE
        if last > start:
            self._skip((last + 7) & -8)
        return False

    def _skip(self, to: int) -> None:
        self.damaged += 1
        self.skipped += to - self.position
        self.position = to


def _search(window: bytes, seed: int, start: int) -> int:
    """The offset of the first valid record in `window` at a multiple of 8, or -1."""
    size = len(window)
    at = window.find(_MAGIC_BYTES, start)
    while at >= 0:
        if at % 8 == 0 and at + 8 <= size:
            _, length, checksum = _unpack_from(window, at)
            end = at + 8 + length
            fits = length <= MAX_PAYLOAD and end <= size
            if fits and crc32(window[at + 8 : end], seed ^ length) == checksum:
                return at
        at = window.find(_MAGIC_BYTES, at + 1)
    return -1
