"""How far each segment is counted: the `segments` table and its picture in memory."""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from hopline.shortener.clicks.statements import statement

__all__ = ["Positions", "SegmentRow"]

_NEVER: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """One row. `finished_at` (ms) is set once the segment is read to its end and its writer is gone."""

    position: int = 0
    damaged: int = 0
    skipped: int = 0
    finished_at: int | None = None


class Positions:
    """Rows by segment name, as the database has them. Not thread-safe; the ingester is the only writer."""

    def __init__(self) -> None:
        self._rows: dict[str, SegmentRow] = {}
        self._oldest = _NEVER  # no segment was finished before this

    def load(self, connection: sqlite3.Connection) -> None:
        """Replace the picture by what is stored."""
        self._rows = {name: SegmentRow(*values) for name, *values in connection.execute(statement("read_segments"))}
        self._note_oldest()

    def __getitem__(self, name: str) -> SegmentRow:
        """The row of a segment; one that was never read stands at 0."""
        return self._rows.get(name, _UNREAD)

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def is_finished(self, name: str) -> bool:
        """Whether nothing of this segment remains to be counted."""
        return self[name].finished_at is not None

    def unfinished(self) -> Iterator[str]:
        """Segments that were begun and not finished."""
        return (name for name, row in self._rows.items() if row.finished_at is None)

    def write(self, connection: sqlite3.Connection, rows: dict[str, SegmentRow]) -> None:
        """Store rows in the caller's transaction; call `committed` once it is."""
        connection.executemany(
            statement("write_segment"),
            ((name, row.position, row.damaged, row.skipped, row.finished_at) for name, row in rows.items()),
        )

    def committed(self, rows: dict[str, SegmentRow]) -> None:
        """Take stored rows into the picture."""
        self._rows.update(rows)
        finished = (row.finished_at for row in rows.values() if row.finished_at is not None)
        self._oldest = min(self._oldest, min(finished, default=_NEVER))

    def finished_before(self, moment: int) -> list[str]:
        """Segments finished at `moment` (ms) or earlier. Usually none, which is known without looking."""
        if self._oldest > moment:
            return []
        return sorted(n for n, row in self._rows.items() if row.finished_at is not None and row.finished_at <= moment)

    def forget(self, connection: sqlite3.Connection, names: Iterable[str]) -> None:
        """Delete rows of files that are gone, in a transaction of its own."""
        gone = list(names)
        connection.executemany(statement("delete_segment"), ((name,) for name in gone))
        connection.commit()
        for name in gone:
            self._rows.pop(name, None)
        self._note_oldest()

    def _note_oldest(self) -> None:
        self._oldest = min((r.finished_at for r in self._rows.values() if r.finished_at is not None), default=_NEVER)


_UNREAD: Final = SegmentRow()
