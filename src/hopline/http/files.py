"""Regular files, opened safely and read in pieces; and what type of content a name stands for."""

import asyncio
import mimetypes
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from hopline.http.errors import HTTPServerError

__all__ = ["FileChanged", "FileParts", "OpenFile", "content_type", "open_regular"]

PIECE: Final = 131_072  # bytes read at once: all that a slow reader of a large file costs
_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # the last for FIFOs: open() mustn't wait

# The tables that come with Python, and none of the machine's: a file has the same type wherever it is served.
_TYPES: Final = mimetypes.MimeTypes(())
for _suffix, _type in (
    (".js", "text/javascript"),
    (".mjs", "text/javascript"),
    (".map", "application/json"),
    (".md", "text/markdown"),
    (".wasm", "application/wasm"),
    (".webmanifest", "application/manifest+json"),
    (".webp", "image/webp"),
    (".avif", "image/avif"),
    (".ico", "image/x-icon"),
    (".woff", "font/woff"),
    (".woff2", "font/woff2"),
    (".ttf", "font/ttf"),
    (".otf", "font/otf"),
):
    _TYPES.add_type(_type, _suffix)
_ENCODED: Final = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}


class FileChanged(HTTPServerError):
    """A file became shorter while it was sent."""


class OpenFile:
    """A file that is open for reading. Closed by `close`, or when nobody has it any more."""

    __slots__ = ("descriptor", "etag", "modified_ns", "size")

    def __init__(self, descriptor: int, found: os.stat_result) -> None:
        self.descriptor = descriptor
        self.size = found.st_size
        self.modified_ns = found.st_mtime_ns
        # Strong: another size, moment of change or inode is another tag.
        self.etag = f'"{found.st_size:x}-{found.st_mtime_ns:x}-{found.st_ino:x}"'

    def read(self, size: int, at: int) -> bytes:
        """Up to `size` bytes from byte `at`; FileChanged where there are none."""
        piece = os.pread(self.descriptor, size, at)
        if not piece:
            raise FileChanged(f"a file was cut to {at} bytes or less while it was sent")
        return piece

    def close(self) -> None:
        """Close the file, once. Not while another thread reads: its next read could be of any other file."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()  # an answer that was never begun, or a request cancelled while its file was opened


def content_type(name: str) -> str:
    """The value of Content-Type for a file called `name`; text is said to be UTF-8."""
    kind, encoding = _TYPES.guess_type(f"/{name}", strict=False)  # the slash, lest "data:,x" be taken for a URL
    if encoding is not None:
        return _ENCODED.get(encoding, "application/octet-stream")
    if kind is None:
        return "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


def open_regular(path: Path) -> OpenFile | None:
    """Open the regular file at `path`, whose last part must not be a link; None where there is none. OSError."""
    try:
        descriptor = os.open(path, _FLAGS)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
        return None
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        return None
    return OpenFile(descriptor, found)


class FileParts:
    """The bytes `part` of an open file, read piece by piece in a thread, each when it is asked for."""

    def __init__(self, file: OpenFile, part: range) -> None:
        self._file = file
        self._part = part

    async def __aiter__(self) -> AsyncIterator[bytes]:
        at, stop = self._part.start, self._part.stop
        try:
            while at < stop:
                piece = await self._read(min(PIECE, stop - at), at)
                at += len(piece)
                yield piece
        finally:
            self._file.close()

    async def _read(self, size: int, at: int) -> bytes:
        reading = asyncio.ensure_future(asyncio.to_thread(self._file.read, size, at))
        try:
            return await asyncio.shield(reading)
        except asyncio.CancelledError:
            await asyncio.wait([reading])  # the thread goes on: the file must stay open until it is done
            raise
