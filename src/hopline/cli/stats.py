"""`hopline stats`: a link's clicks as totals and bars, as wide as the terminal."""

import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hopline.cli.bars import bar_lines
from hopline.cli.links import CodeArgument, existing
from hopline.cli.options import DEFAULT_SERVER, JsonOption, KeyFileOption, ServerOption, connect
from hopline.cli.terminal import clean, console, utf8

if TYPE_CHECKING:
    from hopline.cli.api import DayClicks, LinkInfo, Stats

__all__ = ["buckets", "stats"]

_WIDEST: Final = 100
_MOST_BARS: Final = 31


def stats(
    code: CodeArgument,
    days: Annotated[int, typer.Option("--days", min=1, max=366, metavar="N", help="How far back.")] = 30,
    top: Annotated[int, typer.Option("--top", min=1, max=50, metavar="N", help="Values a breakdown.")] = 5,
    server: ServerOption = DEFAULT_SERVER,
    key_file: KeyFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a link's clicks, as totals and bars.

    By day (UTC), and by browser, country, referrer and so on, as wide as the terminal.
    """
    today = datetime.now(UTC).date()
    first = today - timedelta(days=days - 1)
    with connect(server, key_file) as api:
        link = existing(api, code)
        found, raw = api.stats(link.short_code, first.isoformat(), today.isoformat())
    if as_json:
        import msgspec

        sys.stdout.write(msgspec.json.format(raw, indent=2).decode() + "\n")
        return
    width = min(console().width, _WIDEST)
    lines = _lines(link, found, days, top, width, utf8=utf8())
    sys.stdout.write("\n".join(lines) + "\n")


def buckets(days: Sequence["DayClicks"], most: int = _MOST_BARS) -> list[tuple[str, int]]:
    """Days as bars, at most `most`: several days in one where there are more, named by the first of them."""
    if not days:
        return []
    span = -(-len(days) // most)
    return [
        (days[start].day, sum(day.clicks for day in days[start : start + span])) for start in range(0, len(days), span)
    ]


def _lines(link: "LinkInfo", found: "Stats", days: int, top: int, width: int, *, utf8: bool) -> list[str]:
    arrow = "→" if utf8 else "->"
    last = f", last {found.last_click[:16].replace('T', ' ')} UTC" if found.last_click else ""
    lines = [
        _cut(f"{link.short_url} {arrow} {link.url}", width, utf8=utf8),
        _cut(f"{found.clicks:,} clicks: humans {found.humans:,}, bots {found.bots:,}{last}", width, utf8=utf8),
    ]
    shown = buckets(found.by_day)
    if shown:
        step = "by day" if len(shown) == len(found.by_day) else f"by {_span(shown)} days"
        lines += ["", f"last {days} days {step}, visitors {found.visitors:,} (a sum of daily uniques)"]
        lines += bar_lines(shown, width, utf8=utf8)
    for name, values in found.breakdowns.items():
        if values:
            rows = [(clean(value.value) or "(none)", value.clicks) for value in values[:top]]
            lines += ["", name.replace("_", " "), *bar_lines(rows, width, utf8=utf8)]
    return lines


def _span(shown: Sequence[tuple[str, int]]) -> int:
    return (date.fromisoformat(shown[1][0]) - date.fromisoformat(shown[0][0])).days


def _cut(text: str, width: int, *, utf8: bool) -> str:
    text = clean(text)
    mark = "…" if utf8 else "..."
    return text if len(text) <= width else text[: width - len(mark)] + mark
