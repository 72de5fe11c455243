"""Rows of a file of links: CSV with a header, or one URL a line.

The first line decides. If it names a `url` column, in any of the words other shorteners use and separated
by commas, semicolons or tabs, the rest is CSV; otherwise every line is one URL as a whole, because URLs may
hold commas. Reading is a stream of bounded lines: bytes are counted for the progress display, text that isn't
UTF-8 and rows that aren't CSV become refused rows instead of ending the import.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

from hopline.cli.errors import CliError

__all__ = ["FIELDS", "Row", "RowReader"]

FIELDS: Final = ("url", "custom_code", "user_id", "expires_at", "redirect_status")
_LONGEST_LINE: Final = 1024 * 1024
_LONGEST_ROW: Final = 100_000
_WORDS: Final = {
    "url": ("url", "long_url", "longurl", "original_url", "target", "target_url", "destination", "link"),
    "custom_code": ("custom_code", "short_code", "code", "slug", "keyword", "alias", "back_half"),
    "user_id": ("user_id", "user", "owner"),
    "expires_at": ("expires_at", "expires", "expiry", "valid_until"),
    "redirect_status": ("redirect_status", "status", "redirect"),
}
_FIELD_OF: Final = {word: field for field, words in _WORDS.items() for word in words}


@dataclass(frozen=True, slots=True)
class Row:
    """One link to be made: `link` as the API takes it, or `problem`, why it can't even be sent."""

    line: int
    link: dict[str, object]
    problem: str | None = None

    @property
    def size(self) -> int:
        """How many bytes the row may take in a request; four are the most for a character."""
        return sum(len(str(value)) * 4 + 32 for value in self.link.values())


class RowReader:
    """The rows of an open binary file; iterate once. CliError where the header makes no sense."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._lines = 0
        self.bytes_read = 0
        self.ignored: list[str] = []  # columns that mean nothing here; known once the first row is read

    def __iter__(self) -> Iterator[Row]:
        first = next(self._read_lines(), None)
        if first is None:
            return
        first = first.removeprefix("\ufeff")
        delimiter, columns = _header(first)
        if columns is None:
            yield from self._plain(first)
            return
        self.ignored = [name for name, field in columns if field is None and name]
        yield from self._csv(delimiter, [field for _, field in columns])

    def _read_lines(self) -> Iterator[str]:
        while raw := self._file.readline(_LONGEST_LINE):
            self._lines += 1
            self.bytes_read += len(raw)
            yield raw.decode("utf-8", "surrogateescape")

    def _plain(self, first: str) -> Iterator[Row]:
        number, line = self._lines, first
        while True:
            text = line.strip()
            if len(text) > 1 and text[0] == text[-1] == '"':
                text = text[1:-1].replace('""', '"')
            if text:
                yield _row(number, ["url"], [text])
            following = next(self._read_lines(), None)
            if following is None:
                return
            number, line = self._lines, following

    def _csv(self, delimiter: str, fields: Sequence[str | None]) -> Iterator[Row]:
        reader = csv.reader(self._read_lines(), delimiter=delimiter)
        while True:
            number = self._lines + 1
            try:
                cells = next(reader, None)
            except csv.Error as error:  # a field over csv's limit of 128 KiB, for example
                yield Row(number, {}, f"not readable as CSV: {error}")
                continue
            if cells is None:
                return
            if any(cell.strip() for cell in cells):
                yield _row(number, fields, cells)


def _header(first: str) -> tuple[str, list[tuple[str, str | None]] | None]:
    """The delimiter and what each column means; None for a file whose first line is already a URL."""
    for delimiter in ",;\t":
        names = next(csv.reader([first], delimiter=delimiter), [])
        columns = [(name.strip(), _FIELD_OF.get(name.strip().lower().replace(" ", "_"))) for name in names]
        fields = [field for _, field in columns if field is not None]
        if "url" in fields:
            if len(set(fields)) < len(fields):
                raise CliError(f"the header names a column twice: {first.strip()!r}; rename one of them")
            return delimiter, columns
    if "://" not in first and any(delimiter in first for delimiter in ",;\t"):
        raise CliError(f"no `url` column in the first line: {first.strip()[:100]!r}; name one column url")
    return ",", None


def _row(line: int, fields: Sequence[str | None], cells: Sequence[str]) -> Row:
    """The API's fields of one row; numbers as numbers, empty cells left out."""
    link: dict[str, object] = {}
    problem = None
    for field, cell in zip(fields, cells, strict=False):
        value = cell.strip()
        if field is None or not value:
            continue
        link[field] = _typed(field, value)
        if any("\ud800" <= char <= "\udfff" for char in value):
            problem = f"{field}: not UTF-8 text"
        elif field == "redirect_status" and not isinstance(link[field], int):
            problem = f"redirect_status: not a number: {value!r}"
    if len(cells) > len(fields):
        problem = f"{len(cells)} cells where the header has {len(fields)}; quote what holds the separator"
    elif "url" not in link:
        problem = "url: missing"
    elif sum(map(len, cells)) > _LONGEST_ROW:  # it would not fit a request, and hold up the rows around it
        problem = f"the row has over {_LONGEST_ROW:,} characters"
    return Row(line, link, problem)


def _typed(field: str, value: str) -> object:
    """A cell as the API takes it: a status as a number, an expiry in seconds or ms since 1970 as ISO 8601."""
    if not (value.isascii() and value.isdigit() and len(value) <= 15):
        return value
    if field == "redirect_status":
        return int(value)
    if field == "expires_at" and len(value) > 8:  # shorter ones are dates: 20301231
        from hopline.shortener.links.moments import LAST_MOMENT, iso

        ms = int(value) * (1000 if len(value) < 12 else 1)
        return iso(ms) if ms <= LAST_MOMENT else value
    return value
