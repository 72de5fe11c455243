"""`hopline import`: a file of links into the server, with progress, resumable, refusals reported by row."""

import io
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Final

import typer

from hopline.cli.errors import REFUSED, CliError
from hopline.cli.options import DEFAULT_SERVER, JsonOption, KeyFileOption, ServerOption, connect
from hopline.cli.terminal import note, print_json, progress

if TYPE_CHECKING:
    from hopline.cli.api import Api
    from hopline.cli.import_rows import RowReader
    from hopline.cli.import_state import Done, ImportState

__all__ = ["import_links"]

_REFUSED_HEADER: Final = ("line", "reason", "url", "custom_code", "user_id", "expires_at", "redirect_status")

FileArgument = Annotated[str, typer.Argument(metavar="FILE", help="A CSV file, or one URL a line; - for input.")]
OutputOption = Annotated[
    Path | None, typer.Option("--output", metavar="FILE", help="Write url,short_url of every link here.")
]
RefusedOption = Annotated[
    Path | None,
    typer.Option("--refused", metavar="FILE", help="Where refused rows go; default FILE.refused.csv."),
]


def import_links(
    file: FileArgument,
    server: ServerOption = DEFAULT_SERVER,
    key_file: KeyFileOption = None,
    output: OutputOption = None,
    refused: RefusedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create links from a file.

    Columns: url, custom_code, user_id, expires_at, redirect_status; only url is needed, and the names other
    shorteners use (long_url, slug, keyword and so on) are understood. Without a header, one URL a line.

    An interrupted import goes on where it stopped when the same command is run again; how far it is stands in
    FILE.progress. Links aren't made twice: what a batch cut off by a crash had made is looked up by URL first.
    An import from standard input can't be resumed.

    Refused rows, each with its line number and the reason, go to FILE.refused.csv, which can be corrected and
    imported. Exit status: 0 all rows are in, 3 some were refused, 1 stopped before the end.
    """
    name = "stdin" if file == "-" else file
    refused_path = refused or Path(f"{name}.refused.csv")
    started = time.monotonic()
    with ExitStack() as stack:
        api = stack.enter_context(connect(server, key_file))
        source: BinaryIO = sys.stdin.buffer if file == "-" else stack.enter_context(_open(file))
        state = None if file == "-" else stack.enter_context(_state(file, source, api))
        if state is not None and state.done.finished:
            note(f"imported before; remove {file}.progress to import it again")
            done, rows = state.done, 0
        else:
            before = 0 if state is None else state.done.rows
            done = _import(stack, api, source, state, refused_path, output)
            rows = done.rows - before
    _report(done, refused_path, rows / max(time.monotonic() - started, 1e-6), as_json=as_json)
    if done.refused:
        raise typer.Exit(REFUSED)


def _open(file: str) -> BinaryIO:
    try:
        return Path(file).open("rb")
    except OSError as error:
        raise CliError(f"{file!r} can't be read: {error.strerror}") from error


def _state(file: str, source: BinaryIO, api: "Api") -> "ImportState":
    from hopline.cli.import_state import ImportState, identify

    try:
        return ImportState(Path(f"{file}.progress"), identify(source, api.server))
    except io.UnsupportedOperation as error:
        raise CliError(f"{file!r} isn't a plain file; give it on standard input, as -") from error


def _import(
    stack: ExitStack,
    api: "Api",
    source: BinaryIO,
    state: "ImportState | None",
    refused_path: Path,
    output: Path | None,
) -> "Done":
    from hopline.cli.import_rows import RowReader
    from hopline.cli.importer import Importer, RowFile, Volatile

    before = Volatile() if state is None else state
    reader = RowReader(source)
    refused = stack.enter_context(RowFile(refused_path, _REFUSED_HEADER, before.done.refused_size))
    made = None
    if output is not None:
        made = stack.enter_context(RowFile(output, ("url", "short_url"), before.done.output_size))
    if before.done.rows:
        note(f"going on after row {before.done.rows:,}")
    display = _Display(stack, reader, source, before.done.rows)
    importer = Importer(api, before, refused, made, on_batch=display.batch, on_wait=display.wait)
    try:
        return importer.run(reader)
    except (CliError, KeyboardInterrupt) as error:
        how = "start again from there" if state is None else "run the same command to go on"
        why = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error)
        raise CliError(
            f"stopped after row {before.done.rows:,}: {why}; {how}",
            130 if isinstance(error, KeyboardInterrupt) else 1,
        ) from error


class _Display:
    """Progress by bytes of the file, since counting its rows would mean reading it twice."""

    def __init__(self, stack: ExitStack, reader: "RowReader", source: BinaryIO, skipped: int) -> None:
        self._reader = reader
        self._skipped = skipped
        self._started = time.monotonic()
        self._progress = stack.enter_context(progress("rows"))
        total = Path(source.name).stat().st_size if source is not sys.stdin.buffer else None
        self._task = self._progress.add_task("importing", total=total, done=skipped, rate=0.0)

    def batch(self, done: "Done") -> None:
        rate = (done.rows - self._skipped) / max(time.monotonic() - self._started, 1e-6)
        if self._reader.ignored:
            note(f"columns ignored: {', '.join(self._reader.ignored)}")
            self._reader.ignored = []
        self._progress.update(
            self._task,
            completed=self._reader.bytes_read,
            description="importing" if not done.refused else f"importing ({done.refused:,} refused)",
            done=done.rows,
            rate=rate,
        )

    def wait(self, seconds: float, why: str) -> None:
        note(f"waiting {seconds:g} s {why}")


def _report(done: "Done", refused_path: Path, rate: float, *, as_json: bool) -> None:
    if as_json:
        totals = {"created": done.created, "already": done.already, "refused": done.refused}
        print_json({"rows": done.rows, **totals, "rows_per_second": round(rate, 1)})
        return
    parts = [f"{done.rows:,} rows: {done.created:,} created"]
    if done.already:
        parts.append(f"{done.already:,} there already")
    if done.refused:
        parts.append(f"{done.refused:,} refused, see {refused_path}")
    note(f"{', '.join(parts)} ({rate:,.0f} rows/s)")
