"""Clicks to write, and journals to read back, for the tests beside this file."""

from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from hopline.clock import ManualClock
from hopline.shortener.clicks.event import pack
from hopline.shortener.clicks.ingest import Ingester
from hopline.shortener.clicks.journal import Journal
from hopline.shortener.clicks.reading import SegmentReader
from hopline.shortener.clicks.segment import HEADER, MAGIC, segment_names, segment_seed

CHROME = (
    b"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)
IPHONE = (
    b"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    b" Version/17.5 Mobile/15E148 Safari/604.1"
)
NOW = 1_769_860_800  # 2026-01-31 12:00 UTC
DAY = "2026-01-31"
DAY_NUMBER = NOW // 86_400
SMALL = 1 << 16  # bytes; the smallest segment


def click(
    link: int = 1,
    time_ms: int = NOW * 1000,
    visitor: int = 1,
    country: bytes = b"DE",
    kind: int = 0,
    agent: bytes = CHROME,
    referrer: bytes = b"",
    language: bytes = b"",
    query: bytes = b"",
) -> bytes:
    return pack(time_ms, link, visitor, country, kind, agent, referrer, language, query)


@dataclass
class Folder:
    """A data folder with a journal in it, and a clock that stands still at NOW."""

    path: Path
    clock: ManualClock

    @property
    def journal(self) -> Path:
        return self.path / "journal"

    @property
    def database(self) -> Path:
        return self.path / "clicks.db"

    def open_journal(self, segment_bytes: int = SMALL) -> Journal:
        journal = Journal(self.journal, segment_bytes, self.clock)
        journal.open()
        return journal

    def write(self, *payloads: bytes) -> None:
        """Append to a journal of its own, closed afterwards."""
        journal = self.open_journal()
        for payload in payloads:
            assert journal.append(payload)
        journal.close()

    def ingester(self, batch_records: int = 50_000) -> Ingester:
        ingester = Ingester(self.journal, self.database, self.clock, batch_records=batch_records)
        ingester.open()
        return ingester

    def segments(self) -> list[Path]:
        return [self.journal / name for name in segment_names(self.journal)]


def read_segment(path: Path) -> tuple[list[bytes], SegmentReader]:
    """Every record of a segment, and the reader (closed) that has gone to its end."""
    payloads: list[bytes] = []
    reader = SegmentReader(path)
    reader.open()
    while found := reader.read(1000, 1 << 30):
        payloads += found
    reader.close()
    return payloads, reader


def read_journal(directory: Path) -> list[bytes]:
    """Every record in a folder, oldest segment first."""
    return [payload for name in segment_names(directory) for payload in read_segment(directory / name)[0]]


def record(payload: bytes, name: str) -> bytes:
    """A record as the segment of this name holds it, built by the book and not by the journal."""
    length = len(payload)
    return HEADER.pack(MAGIC, length, crc32(payload, segment_seed(name) ^ length)) + payload + bytes(-length % 8)
