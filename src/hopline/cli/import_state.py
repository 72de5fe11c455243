"""How far an import has come, so that a rerun goes on where the last one stopped: lines of JSON, each synced.

The order is what makes it safe. `sending` is durable before a batch leaves, `done` after what the batch left
behind (refused rows, output) is on disk; what those files hold beyond the sizes recorded in `done` is cut
off on resuming. A batch that is `sending` without a `done` may or may not have been created: `since_ms` and
`known` let the importer look for it on the server. A last line cut short by a crash is dropped.
"""

import fcntl
import hashlib
import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

import msgspec

from hopline.cli.errors import CliError

__all__ = ["Done", "ImportState", "Sending", "Source", "identify"]

_IDENTIFYING: Final = 1024 * 1024


class Source(msgspec.Struct, frozen=True, tag="source"):
    """Which import this is: a file, by size and the digest of its beginning and end, and a server."""

    server: str
    size: int
    digest: str


class Sending(msgspec.Struct, frozen=True, tag="sending"):
    """A batch of the next `rows` rows leaves now; what it creates is dated `since_ms` or later.

    `known` are codes of the batch before it that could be mistaken for this one's: same URL, same owner.
    """

    rows: int
    since_ms: int
    known: list[str]


class Done(msgspec.Struct, frozen=True, tag="done"):
    """Everything up to row `rows` is settled. Sizes in bytes; `finished` once the file's end was reached."""

    rows: int = 0
    created: int = 0
    already: int = 0
    refused: int = 0
    refused_size: int = 0
    output_size: int = 0
    finished: bool = False


def identify(file: BinaryIO, server: str) -> Source:
    """The identity of an import; the file is left at its start."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    digest = hashlib.sha256(file.read(_IDENTIFYING))
    file.seek(max(0, size - _IDENTIFYING))
    digest.update(file.read(_IDENTIFYING))
    file.seek(0)
    return Source(server, size, digest.hexdigest())


class ImportState:
    """The progress file of one import, locked while open; use it in a `with`. Not thread-safe.

    CliError if another import holds it, or if it belongs to another file or server.
    """

    def __init__(self, path: Path, source: Source) -> None:
        self._path = path
        self._source = source
        self._file: BinaryIO | None = None
        self.done = Done()
        self.in_flight: Sending | None = None

    def __enter__(self) -> Self:
        file = self._path.open("a+b")
        self._file = file
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._load(file)
        except BlockingIOError as error:
            file.close()
            raise CliError(f"another import of this file is running: {str(self._path)!r} is locked") from error
        except BaseException:
            file.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def write(self, record: Sending | Done) -> None:
        """Make `record` durable."""
        self._append(record)
        if isinstance(record, Sending):
            self.in_flight = record
        else:
            self.done, self.in_flight = record, None

    def _append(self, record: Source | Sending | Done) -> None:
        if self._file is None:
            raise RuntimeError("bug: the progress file isn't open")
        self._file.write(msgspec.json.encode(record) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _load(self, file: BinaryIO) -> None:
        file.seek(0)
        whole, complete, _ = file.read().rpartition(b"\n")
        file.truncate(len(whole) + len(complete))
        records = self._records(whole)
        if not records:
            self._append(self._source)
            return
        if records[0] != self._source:
            raise CliError(
                f"{str(self._path)!r} belongs to another file or server; "
                "remove it to import from the beginning (links made so far are then made again)"
            )
        for record in records[1:]:
            if isinstance(record, Sending):
                self.in_flight = record
            elif isinstance(record, Done):
                self.done, self.in_flight = record, None

    def _records(self, whole: bytes) -> list[Source | Sending | Done]:
        decoder = msgspec.json.Decoder(Source | Sending | Done)
        try:
            return [decoder.decode(line) for line in whole.splitlines()]
        except msgspec.MsgspecError as error:
            raise CliError(f"{str(self._path)!r} isn't a progress file ({error}); move it away") from error
