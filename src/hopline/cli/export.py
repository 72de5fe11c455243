"""`hopline export`: every link, page by page, into a file that appears under its name only when it is whole.

The rows grow in FILE.partial; after each page a small FILE.partial.state records its size and the cursor of the
next page, so `--resume` cuts the file back to its last complete page and goes on. Pages go from the newest link
to the oldest: links made while the export runs aren't in it, every other link is, once.
"""

import csv
import io
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Final

import msgspec
import typer
from msgspec.structs import asdict

from hopline.cli.errors import USAGE, CliError
from hopline.cli.options import DEFAULT_SERVER, KeyFileOption, ServerOption, connect
from hopline.cli.terminal import note, progress

if TYPE_CHECKING:
    from hopline.cli.api import Api, LinkInfo

__all__ = ["Format", "export"]

_PAGE: Final = 200
_COLUMNS: Final = (
    "short_code",
    "url",
    "user_id",
    "expires_at",
    "redirect_status",
    "short_url",
    "created_at",
    "custom",
)


class Format(StrEnum):
    """How a link is written: a row of CSV, or a line of JSON."""

    CSV = "csv"
    JSONL = "jsonl"


class _State(msgspec.Struct):
    """How far an export has come: `size` bytes of the file hold `rows` whole links; `cursor` is what follows."""

    server: str
    format: Format
    size: int
    rows: int
    cursor: str | None


def export(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to; else standard output.")
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="Rows of CSV or lines of JSON.")] = Format.CSV,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted export.")] = False,
    server: ServerOption = DEFAULT_SERVER,
    key_file: KeyFileOption = None,
) -> None:
    """Write all links, newest first, as CSV or JSON lines.

    `hopline import` reads such a CSV file: codes, owners, expiries and redirects are kept, clicks are not.
    """
    if resume and output is None:
        raise CliError("--resume needs --output FILE, the file to go on with", USAGE)
    with connect(server, key_file) as api:
        if output is None:
            for _ in _copy(api, sys.stdout.buffer, _State(api.server, format_, 0, 0, None)):
                pass
        else:
            rows = _to_file(api, output, format_, resume=resume)
            note(f"{rows:,} links in {output}")


def _to_file(api: "Api", output: Path, format_: Format, *, resume: bool) -> int:
    partial = output.with_name(output.name + ".partial")
    state_path = output.with_name(output.name + ".partial.state")
    state = _resumed(api.server, partial, state_path, format_) if resume else None
    if state is None:
        if not resume and state_path.exists():
            note("an interrupted export is begun afresh; --resume would go on with it")
        state = _State(api.server, format_, 0, 0, None)
    elif state.rows:
        note(f"going on after {state.rows:,} links")
    try:
        with partial.open("ab") as file:
            file.truncate(state.size)
            for now in _copy(api, file, state):
                os.fsync(file.fileno())
                _replace(state_path, msgspec.json.encode(now))
    except (CliError, KeyboardInterrupt) as error:
        why = str(error) or "interrupted"
        raise CliError(f"stopped after {state.rows:,} links: {why}; run it with --resume to go on") from error
    partial.replace(output)
    state_path.unlink(missing_ok=True)
    return state.rows


def _resumed(server: str, partial: Path, state_path: Path, format_: Format) -> _State | None:
    """The state of an interrupted export of the same kind; None where there is nothing to go on with."""
    try:
        state = msgspec.json.decode(state_path.read_bytes(), type=_State)
        size = partial.stat().st_size
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise CliError(f"{str(state_path)!r} isn't an export's state; leave --resume out") from error
    if (state.server, state.format) != (server, format_) or size < state.size:
        raise CliError(f"{str(partial)!r} is another export; leave --resume out to begin afresh")
    return state


def _copy(api: "Api", file: BinaryIO, state: _State) -> Iterator[_State]:
    """Write page after page; `state`, moved on, is given out after each but the last has nothing to follow."""
    if state.cursor is None and state.rows:
        return  # it was interrupted between the last page and the renaming
    started, before = time.monotonic(), state.rows
    with ExitStack() as stack:
        display = stack.enter_context(progress("links"))
        task = display.add_task("exporting", total=None, done=state.rows, rate=0.0)
        for page in api.pages(_PAGE, state.cursor):
            content = _encoded(page.links, state.format, header=state.rows == 0)
            file.write(content)
            file.flush()
            state.size += len(content)
            state.rows += len(page.links)
            state.cursor = page.next_cursor
            rate = (state.rows - before) / max(time.monotonic() - started, 1e-6)
            display.update(task, done=state.rows, rate=rate)
            yield state


def _encoded(links: Sequence["LinkInfo"], format_: Format, *, header: bool) -> bytes:
    if format_ is Format.JSONL:
        lines = [{name: value for name, value in asdict(link).items() if name != "warnings"} for link in links]
        return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if header:
        writer.writerow(_COLUMNS)
    for link in links:
        fields = asdict(link)
        writer.writerow("" if fields[name] is None else fields[name] for name in _COLUMNS)
    return text.getvalue().encode()


def _replace(path: Path, content: bytes) -> None:
    """Put `content` in `path`, whole or not at all."""
    beside = path.with_name(path.name + ".new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
