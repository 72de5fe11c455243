"""How far counting is behind, read from a data folder that a server is using.

The same figure as the ingester's own lag, but of this moment, and there while the ingester is stopped or dead.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from hopline.shortener.clicks.positions import Positions
from hopline.shortener.clicks.reading import SegmentReader
from hopline.shortener.clicks.segment import segment_names

__all__ = ["uncounted_bytes"]


def uncounted_bytes(data_dir: Path) -> int:
    """Bytes of journal records that no commit has counted yet."""
    names = segment_names(data_dir / "journal")  # before the positions: what is counted in between shows as less
    positions = _positions(data_dir / "clicks.db")
    return sum(
        _unread(data_dir / "journal" / name, positions[name].position)
        for name in names
        if not positions.is_finished(name)
    )


def _positions(database: Path) -> Positions:
    positions = Positions()
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)) as connection:
            positions.load(connection)
    except sqlite3.OperationalError:  # the ingester has not made it yet
        pass
    return positions


def _unread(segment: Path, position: int) -> int:
    reader = SegmentReader(segment, position)
    try:
        reader.open()
        return reader.unread_bytes()
    except FileNotFoundError:  # counted and removed in this moment
        return 0
    finally:
        reader.close()
