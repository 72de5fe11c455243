"""Numbers, days and moments as people read them: pure, independent of the machine's locale, in UTC."""

from datetime import UTC, date, datetime

from markupsafe import Markup

__all__ = ["compact", "count", "day", "day_short", "input_moment", "moment", "percent", "thousands"]

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNITS = ("", "k", "M", "B", "T")


def thousands(number: int) -> str:
    """1234567 as "1,234,567"."""
    return f"{number:,}"


def count(number: int, singular: str, plural: str | None = None) -> str:
    """ "1 click", "1,234 clicks"."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def compact(number: int) -> str:
    """A label for an axis: 1500 as "1.5k", 20000000 as "20M"; exact for the 1-2-5 steps of an axis."""
    value, unit = float(number), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value /= 1000
        unit += 1
    return f"{value:,.2f}".rstrip("0").rstrip(".") + _UNITS[unit]


def percent(part: int, whole: int) -> str:
    """The share of `part`: "12%", "<1%" for what would round to nothing, "0%" of nothing."""
    if part <= 0 or whole <= 0:
        return "0%"
    share = 100 * part / whole
    return "<1%" if share < 1 else f"{share:.0f}%"


def day(value: date) -> str:
    """ "31 Jan 2026"."""
    return f"{day_short(value)} {value.year}"


def day_short(value: date) -> str:
    """ "31 Jan"."""
    return f"{value.day} {_MONTHS[value.month - 1]}"


def moment(ms: int) -> Markup:
    """Milliseconds since 1970 as a <time> element that reads "31 Jan 2026, 14:05 UTC"."""
    at = datetime.fromtimestamp(ms / 1000, UTC)
    return Markup('<time datetime="{}">{}, {} UTC</time>').format(
        at.strftime("%Y-%m-%dT%H:%M:%SZ"), day(at), at.strftime("%H:%M")
    )


def input_moment(ms: int | None) -> str:
    """Milliseconds since 1970 as the value of a datetime-local field; "" for None.

    Seconds are written only where there are any, so that a form sent back unchanged changes nothing.
    """
    if ms is None:
        return ""
    at = datetime.fromtimestamp(ms / 1000, UTC).replace(tzinfo=None)
    if at.microsecond:
        return at.isoformat(timespec="milliseconds")
    return at.isoformat(timespec="seconds" if at.second else "minutes")
