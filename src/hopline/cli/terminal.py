"""Writing for a person at a terminal, and for a program behind a pipe.

A table is drawn on a terminal and is tab-separated, untruncated lines anywhere else; progress is drawn on
standard error only where that is a terminal. NO_COLOR, TERM=dumb, COLUMNS and encodings without box
characters are obeyed (by rich). Every string from outside goes through `clean`: a referrer may hold escape
sequences.
"""

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

__all__ = ["clean", "console", "note", "print_json", "print_table", "progress", "utf8"]

# C0 and C1 controls, and what reorders or hides text on the line.
_UNSAFE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

_NARROWEST: Final = 10  # of the column that gives way
_GAP: Final = 2  # between columns


def clean(text: str) -> str:
    """`text` on one line, with everything replaced that could steer the terminal."""
    return _UNSAFE.sub("?", text)


def console(stream: TextIO | None = None) -> "Console":
    """A rich console on `stream` (standard output by default) that adds nothing of its own to the text."""
    from rich.console import Console

    return Console(file=stream or sys.stdout, highlight=False, markup=False, emoji=False)


def utf8(stream: TextIO | None = None) -> bool:
    """Whether `stream` can show more than ASCII."""
    encoding = getattr(stream or sys.stdout, "encoding", None) or "ascii"
    return str(encoding).lower().startswith("utf")


def note(message: str) -> None:
    """Say something about the work, on standard error."""
    sys.stderr.write(f"{clean(message)}\n")
    sys.stderr.flush()


def print_json(value: object) -> None:
    """`value` as indented JSON on standard output."""
    import msgspec

    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    sys.stdout.write(f"{text}\n")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], wide: str | None = None) -> None:
    """A table of one row or more on a terminal, where the column `wide` gives way; tab-separated lines elsewhere."""
    if not sys.stdout.isatty():
        for row in rows:
            sys.stdout.write("\t".join(clean(str(cell)) for cell in row) + "\n")
        return
    from rich.cells import cell_len

    out = console()
    shown = [[f"{cell:,}" if isinstance(cell, int) else clean(str(cell)) for cell in row] for row in rows]
    longest = [max(map(cell_len, cells)) for cells in zip(columns, *shown, strict=True)]
    widths = [min(length, max(_NARROWEST, out.width // 3)) for length in longest]
    for at, name in enumerate(columns):
        if name == wide:
            left = out.width - sum(widths) + widths[at] - _GAP * (len(columns) - 1)
            widths[at] = min(longest[at], max(_NARROWEST, left))
    numeric = [all(isinstance(row[at], int) for row in rows) for at in range(len(columns))]
    out.print(_line(columns, widths, numeric), style="bold", overflow="crop", no_wrap=True)
    for row in shown:
        out.print(_line(row, widths, numeric), overflow="crop", no_wrap=True)


def _line(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    """Cells side by side: numbers to the right, what is too long cut with a mark."""
    from rich.cells import cell_len, set_cell_size

    mark = "…" if utf8() else "..."
    parts = []
    for cell, width, right in zip(cells, widths, numeric, strict=True):
        if cell_len(cell) > width:
            parts.append(set_cell_size(cell, width - len(mark)) + mark)
        else:
            parts.append(" " * (width - cell_len(cell)) + cell if right else set_cell_size(cell, width))
    return (" " * _GAP).join(parts).rstrip()


def progress(unit: str) -> "Progress":
    """A progress display on standard error, silent unless that is a terminal; use it in a `with`.

    Tasks count in whatever `total` counts (rows or bytes) and show `done` of `unit` and the rate as fields.
    """
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        SpinnerColumn("line"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TextColumn("{task.fields[done]:,} " + unit),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
        console=console(sys.stderr),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
