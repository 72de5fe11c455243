"""The journal folder as the ingester sees it: which segments there are, a reader for each, and removal."""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from hopline.shortener.clicks.positions import SegmentRow
from hopline.shortener.clicks.reading import SegmentReader, writer_is_gone
from hopline.shortener.clicks.segment import NEW_SUFFIX, segment_names, sync_directory

__all__ = ["SegmentFolder"]

_ABANDONED_SECONDS: Final = 3600


class SegmentFolder:
    """Segments of one folder, with their files kept open between reads. Not thread-safe."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._readers: dict[str, SegmentReader] = {}

    def names(self) -> list[str]:
        """All segments, oldest first. Files that have gone are closed."""
        names = segment_names(self._directory)
        for name in self._readers.keys() - set(names):
            self.close_reader(name)
        return names

    def reader(self, name: str, row: SegmentRow) -> SegmentReader | None:
        """A reader that goes on where `row` ended; None where the file has just gone."""
        reader = self._readers.get(name)
        if reader is None:
            reader = SegmentReader(self._directory / name, row.position, row.damaged, row.skipped)
            try:
                reader.open()
            except FileNotFoundError:  # a writer has closed and took its unused spare along
                return None
            self._readers[name] = reader
        return reader

    def close_reader(self, name: str) -> None:
        """Close the file of one segment, if it is open."""
        reader = self._readers.pop(name, None)
        if reader is not None:
            reader.close()

    def close(self) -> None:
        """Close all files; they are opened again when asked for."""
        for name in list(self._readers):
            self.close_reader(name)

    def release_tail(self, name: str) -> None:
        """Give back the unused rest of a finished segment, and close it."""
        reader = self._readers.get(name)
        if reader is not None:
            reader.release_tail()
            self.close_reader(name)

    def remove(self, names: Iterable[str]) -> None:
        """Remove files for good: after this returns, no power cut brings one back."""
        for name in names:
            self.close_reader(name)
            (self._directory / name).unlink(missing_ok=True)
        sync_directory(self._directory)

    def remove_abandoned(self) -> None:
        """Remove segments whose maker died before they were ready."""
        for path in self._directory.glob(f"*{NEW_SUFFIX}"):
            try:
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            try:
                # Between its creation and its lock a file that is just being made looks abandoned too.
                old = time.time() - os.fstat(fd).st_mtime > _ABANDONED_SECONDS
                if old and writer_is_gone(fd):
                    path.unlink(missing_ok=True)
            finally:
                os.close(fd)
