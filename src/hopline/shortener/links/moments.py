"""Moments as people and programs write them, and as they are stored: milliseconds since 1970. Pure.

What is written is ISO 8601: "2030-12-31T23:59:00+01:00", "…Z", or just a date for its first moment. Without an
offset UTC is meant, everywhere and always, so that a link never ends by the time zone of a server.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["LAST_MOMENT", "iso", "parse"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
LAST_MOMENT: Final = (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) - _EPOCH) // _MS


def parse(text: str) -> int:
    """The moment `text` names, in ms since 1970. ValueError where it names none."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return (at - _EPOCH) // _MS


def iso(ms: int) -> str:
    """The moment in UTC: "2030-12-31T22:59:00.000Z"."""
    at = _EPOCH + ms * _MS
    return at.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
