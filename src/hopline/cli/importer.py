"""Sending rows in batches: patient with a busy server, exact about what was done, safe to kill at any moment."""

import csv
import io
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Protocol, Self

import msgspec

from hopline.cli.api import Api, ApiError, BulkResult, LinkInfo
from hopline.cli.errors import CliError
from hopline.cli.import_match import find_created, match_key, milliseconds, same_target
from hopline.cli.import_rows import FIELDS, Row
from hopline.cli.import_state import Done, Sending

__all__ = ["BATCH", "Importer", "Progress", "RowFile", "Volatile"]

BATCH: Final = 500
_LARGEST_BODY: Final = 512 * 1024
_ATTEMPTS: Final = 8  # of one batch, while the server says it is busy
_LONGEST_WAIT: Final = 60.0
_SETTLE: Final = 3.0  # a request of a client that has just died may still be at work in the server


class Progress(Protocol):
    """Where an importer records how far it is; see import_state.py."""

    done: Done
    in_flight: Sending | None

    def write(self, record: Sending | Done) -> None:
        """Make `record` durable."""
        ...


class Volatile:
    """Progress of an import that can't be resumed, from a pipe."""

    def __init__(self) -> None:
        self.done = Done()
        self.in_flight: Sending | None = None

    def write(self, record: Sending | Done) -> None:
        """Keep the record for as long as the process lives."""
        if isinstance(record, Done):
            self.done = record


class RowFile:
    """A CSV file that grows row by row and can be cut back to a size it had; made with its first row."""

    def __init__(self, path: Path, header: Sequence[str], size: int = 0) -> None:
        self._path = path
        self._header = header
        self._size = size
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        if self._path.exists():
            if self._path.stat().st_size < self._size:
                raise CliError(f"{str(self._path)!r} is shorter than it was left; put it back to go on")
            os.truncate(self._path, self._size)
        elif self._size:
            raise CliError(f"{str(self._path)!r} is gone since the import began; put it back to go on")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def append(self, rows: Iterable[Sequence[object]]) -> int:
        """Add `rows` and make them durable; the file's size."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if self._size == 0:
            writer.writerow(self._header)
        start = text.tell()
        writer.writerows(rows)
        if text.tell() == start:
            return self._size
        if self._file is None:
            self._file = self._path.open("ab")
        self._file.write(text.getvalue().encode("utf-8", "surrogateescape"))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._size = self._file.tell()
        return self._size


class Importer:
    """Imports rows through `api`; what was refused goes to `refused`, `url,short_url` to `output` if given.

    `run` may be ended by any exception or signal: another importer on the same progress goes on from there, and
    creates nothing twice. `on_batch(done)` is called after each batch, `on_wait(seconds, why)` before each wait.
    """

    def __init__(
        self,
        api: Api,
        progress: Progress,
        refused: RowFile,
        output: RowFile | None = None,
        *,
        on_batch: Callable[[Done], None] = lambda done: None,
        on_wait: Callable[[float, str], None] = lambda seconds, why: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._api = api
        self._progress = progress
        self._refused = refused
        self._output = output
        self._on_batch = on_batch
        self._on_wait = on_wait
        self._sleep = sleep
        self._since_ms = 0
        self._last: list[LinkInfo] = []  # what the batch before this one left on the server

    def run(self, rows: Iterable[Row]) -> Done:
        """Import `rows`, those already done skipped; the totals, earlier runs included."""
        self._since_ms = self._api.clock_ms() or 0
        remaining = iter(rows)
        for _ in islice(remaining, self._progress.done.rows):
            pass
        in_flight = self._progress.in_flight
        if in_flight is not None:
            self._batch(list(islice(remaining, in_flight.rows)), in_flight)
        for batch in _batches(remaining):
            self._batch(batch, None)
        self._progress.write(msgspec.structs.replace(self._progress.done, finished=True))
        return self._progress.done

    def _batch(self, rows: Sequence[Row], resumed: Sending | None) -> None:
        sendable = [row for row in rows if row.problem is None]
        links = [row.link for row in sendable]
        if resumed is None:
            self._progress.write(Sending(len(rows), self._since_ms, self._confusable(links)))
            found: dict[int, LinkInfo] = {}
        else:
            found = self._search(links, resumed)
        results = self._send([link for index, link in enumerate(links) if index not in found])
        answers = iter(results)
        outcomes = [
            BulkResult(200, found[index]) if index in found else self._settled(row, next(answers))
            for index, row in enumerate(sendable)
        ]
        self._record(rows, sendable, outcomes)

    def _search(self, links: Sequence[dict[str, object]], resumed: Sending) -> dict[int, LinkInfo]:
        """What the interrupted batch did create; looked for twice, as its request may still be at work."""
        found = find_created(self._api, links, resumed.since_ms, resumed.known)
        if len(found) < sum("custom_code" not in link for link in links):
            self._wait(_SETTLE, "for a batch that was under way")
            found = find_created(self._api, links, resumed.since_ms, resumed.known)
        return found

    def _send(self, links: Sequence[dict[str, object]]) -> Sequence[BulkResult]:
        """One batch, again as long as the server says it is busy, which means that it did nothing."""
        if not links:
            return []
        for attempt in range(_ATTEMPTS):
            try:
                return self._api.create_many(links).results
            except ApiError as error:
                if error.status not in (429, 503) or attempt == _ATTEMPTS - 1:
                    raise
                seconds = error.retry_after if error.retry_after is not None else 2.0**attempt
                self._wait(min(max(seconds, 0.1), _LONGEST_WAIT), "because the server is busy")
        raise RuntimeError("bug: the last attempt neither returned nor raised")

    def _settled(self, row: Row, result: BulkResult) -> BulkResult:
        """A code that is taken by a link to the same address is this row, imported before."""
        code = row.link.get("custom_code")
        if result.status == 409 and isinstance(code, str):
            link = self._api.link(code)
            if link is not None and same_target(row.link, link):
                return BulkResult(200, link)
        return result

    def _record(self, rows: Sequence[Row], sent: Sequence[Row], outcomes: Sequence[BulkResult]) -> None:
        reasons = {row.line: row.problem for row in rows if row.problem is not None}
        made = [(row, result.link) for row, result in zip(sent, outcomes, strict=True) if result.link]
        reasons.update((row.line, result.reason) for row, result in zip(sent, outcomes, strict=True) if not result.link)
        refused_size = self._refused.append(
            (row.line, reasons[row.line], *_cells(row)) for row in rows if row.line in reasons
        )
        output_size = 0
        if self._output is not None:
            output_size = self._output.append((row.link["url"], link.short_url) for row, link in made)
        self._last = [link for _, link in made]
        self._since_ms = max([self._since_ms, *(milliseconds(link.created_at) for link in self._last)])
        already = sum(result.status == 200 for result in outcomes)
        done = self._progress.done
        self._progress.write(
            Done(
                rows=done.rows + len(rows),
                created=done.created + len(made) - already,
                already=done.already + already,
                refused=done.refused + len(reasons),
                refused_size=refused_size,
                output_size=output_size,
            )
        )
        self._on_batch(self._progress.done)

    def _confusable(self, links: Sequence[dict[str, object]]) -> list[str]:
        """Codes the last batch gave to what is in this one again; they may carry the same millisecond."""
        keys = {match_key(link) for link in links} if self._last else set()
        return [link.short_code for link in self._last if (link.url, link.user_id) in keys]

    def _wait(self, seconds: float, why: str) -> None:
        self._on_wait(seconds, why)
        self._sleep(seconds)


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """`rows` in groups of BATCH, fewer where they are long."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        if batch and (len(batch) == BATCH or size + row.size > _LARGEST_BODY):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += row.size
    if batch:
        yield batch


def _cells(row: Row) -> list[object]:
    return [row.link.get(field, "") for field in FIELDS]
