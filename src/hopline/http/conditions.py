"""Conditional requests and byte ranges (RFC 9110 sections 13 and 14). Pure: fields in, a decision out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import formatdate, parsedate_to_datetime
from typing import Final

__all__ = ["UNSATISFIABLE", "Validators", "precondition", "selected_range"]

UNSATISFIABLE: Final = range(0)
"""What `selected_range` answers for a range that begins past the end: 416."""

_TAG: Final = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS: Final = re.compile(rf"[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")
_ONE_TAG: Final = re.compile(_TAG)
_RANGE: Final = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Validators:
    """What tells one state of a resource from another: a strong entity tag, quoted, and the second it changed."""

    etag: str
    modified: int

    @property
    def last_modified(self) -> str:
        """The value of Last-Modified."""
        return formatdate(self.modified, usegmt=True)


def precondition(headers: Mapping[str, str], has: Validators) -> int | None:
    """The status that a GET or HEAD is answered with instead, 412 or 304; None to go on (section 13.2.2)."""
    if "if-match" in headers:
        if not _matches(headers["if-match"], has.etag, weakly=False):
            return 412
    elif "if-unmodified-since" in headers:
        moment = _date(headers["if-unmodified-since"])
        if moment is not None and has.modified > moment:
            return 412
    if "if-none-match" in headers:
        return 304 if _matches(headers["if-none-match"], has.etag, weakly=True) else None
    moment = _date(headers.get("if-modified-since", ""))
    return 304 if moment is not None and has.modified <= moment else None


def selected_range(headers: Mapping[str, str], has: Validators, size: int, now: float) -> range | None:
    """The bytes that a GET asks for of `size`; None for all of them, UNSATISFIABLE where there are none such.

    None too for several ranges, other units, what can't be read, and where If-Range names another state.
    """
    found = _RANGE.fullmatch(headers.get("range", ""))
    if found is None or not _still(headers.get("if-range"), has, now):
        return None
    first, last = found[1], found[2]
    if not first:
        if not last:
            return None
        return range(max(0, size - int(last)), size) if int(last) and size else UNSATISFIABLE
    if last and int(last) < int(first):
        return None
    return range(int(first), min(size, int(last) + 1) if last else size) if int(first) < size else UNSATISFIABLE


def _still(condition: str | None, has: Validators, now: float) -> bool:
    """Whether what the client has parts of is what is here: by a strong validator only (section 13.1.5)."""
    if condition is None:
        return True
    if _ONE_TAG.fullmatch(condition):
        return condition == has.etag
    # A file may change twice in one second: its date is a strong validator only once that second is over.
    return condition == has.last_modified and has.modified + 1 < now


def _matches(condition: str, etag: str, *, weakly: bool) -> bool:
    if condition.strip() == "*":
        return True
    if _TAGS.fullmatch(condition) is None:
        return False
    tags = _ONE_TAG.findall(condition)
    return etag in ([tag.removeprefix("W/") for tag in tags] if weakly else tags)


def _date(text: str) -> float | None:
    """Seconds since 1970 of an HTTP date in any of its three forms; None where it is none."""
    if len(text) > 40:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
