"""Clicks over time as an SVG drawing: pure, days in, markup out.

Horizontal positions are percentages and vertical ones pixels, so that the drawing takes any width while its
text keeps its size; the style sheet pads the drawing on the left, where the axis labels stand at negative x.
Each slot (a day, or a week in long ranges) is a stacked bar, humans below and bots above, under an invisible
full-height rectangle whose <title> is the tooltip. Colours come from classes: the policy of the pages forbids
style attributes. For those who can't see it, <title> and <desc> say what the drawing says, and the page puts
the same slots in a table.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from typing import Final

from hopline.shortener.clicks.protocol import DayClicks
from hopline.shortener.dashboard import text

__all__ = ["Slot", "axis_ticks", "clicks_chart", "slots"]

MAX_DAY_BARS: Final = 120  # past it a bar would be thinner than a pixel on a phone, so weeks are drawn
HEIGHT: Final = 240
TOP: Final = 16
BASELINE: Final = 204
LABEL_Y: Final = 226
FEW_BARS: Final = 10
LEAST_BAR: Final = 2.0  # pixels: one click beside a million still shows
MAX_TICKS: Final = 5


@dataclass(frozen=True, slots=True)
class Slot:
    """One bar: the days from `first` to `last` inclusive. `visitors` is a sum of daily uniques."""

    first: date
    last: date
    humans: int
    bots: int
    visitors: int

    @property
    def clicks(self) -> int:
        """All clicks of the slot."""
        return self.humans + self.bots

    @property
    def label(self) -> str:
        """The slot in words: "31 Jan 2026", "26 Jan to 1 Feb 2026", "29 Dec 2025 to 4 Jan 2026"."""
        if self.first == self.last:
            return text.day(self.first)
        same_year = self.first.year == self.last.year
        first = text.day_short(self.first) if same_year else text.day(self.first)
        return f"{first} to {text.day(self.last)}"


def slots(days: Sequence[DayClicks]) -> list[Slot]:
    """One slot a day, or a calendar week (Monday to Sunday, cut at the ends) where there are over 120 days."""
    found = [_day_slot(entry) for entry in days]
    if len(found) <= MAX_DAY_BARS:
        return found
    weeks: list[Slot] = []
    for slot in found:
        if weeks and slot.first.weekday() != 0:
            weeks[-1] = _joined(weeks[-1], slot)
        else:
            weeks.append(slot)
    return weeks


def _day_slot(entry: DayClicks) -> Slot:
    day = date.fromisoformat(entry.day)
    return Slot(day, day, entry.humans, entry.bots, entry.visitors)


def _joined(left: Slot, right: Slot) -> Slot:
    return Slot(
        left.first,
        right.last,
        left.humans + right.humans,
        left.bots + right.bots,
        left.visitors + right.visitors,
    )


def axis_ticks(top: int) -> list[int]:
    """Ticks from 0 to at least `top`, at most five, whole and evenly spaced by 1, 2 or 5 times a power of ten."""
    decade = 1
    while True:
        for factor in (1, 2, 5):
            step = factor * decade
            steps = max(1, -(-top // step))
            if steps < MAX_TICKS:
                return [step * index for index in range(steps + 1)]
        decade *= 10


def clicks_chart(bars: Sequence[Slot]) -> str:
    """The drawing of `bars` as one <svg> element; with no clicks, its axes and a line that says so."""
    ticks = axis_ticks(max((bar.clicks for bar in bars), default=0))
    parts = [
        f'<svg class="chart" width="100%" height="{HEIGHT}" role="img" aria-labelledby="chart-title chart-desc">',
        f'<title id="chart-title">{escape(_title(bars))}</title>',
        f'<desc id="chart-desc">{escape(_description(bars))}</desc>',
        *_grid(ticks),
        *_columns(bars, ticks[-1]),
        *_labels(bars),
    ]
    if not any(bar.clicks for bar in bars):
        parts.append(f'<text class="chart-empty" x="50%" y="{(TOP + BASELINE) // 2}">No clicks in this range</text>')
    parts.append("</svg>")
    return "".join(parts)


def _title(bars: Sequence[Slot]) -> str:
    if not bars:
        return "Clicks over time"
    unit = "day" if all(bar.first == bar.last for bar in bars) else "week"
    whole = Slot(bars[0].first, bars[-1].last, 0, 0, 0)
    return f"Clicks by {unit}, {whole.label}"


def _description(bars: Sequence[Slot]) -> str:
    humans, bots = sum(bar.humans for bar in bars), sum(bar.bots for bar in bars)
    if not humans + bots:
        return "No clicks in this range."
    busiest = max(bars, key=lambda bar: bar.clicks)
    return (
        f"{text.count(humans + bots, 'click')}: {humans:,} by humans, {bots:,} by bots. "
        f"Most were on {busiest.label}: {busiest.clicks:,}."
    )


def _grid(ticks: Sequence[int]) -> Iterator[str]:
    for tick in ticks:
        y = _pixels(BASELINE - (BASELINE - TOP) * tick / ticks[-1])
        kind = "chart-line" if tick else "chart-base"
        yield f'<line class="{kind}" x1="0" x2="100%" y1="{y}" y2="{y}"/>'
        yield f'<text class="chart-tick" x="-10" y="{y}" dy="0.32em">{text.compact(tick)}</text>'


def _columns(bars: Sequence[Slot], top: int) -> Iterator[str]:
    if not bars:
        return
    pitch = 100 / len(bars)
    fill = _fill(len(bars))
    for index, bar in enumerate(bars):
        left = pitch * index
        x, width = _percent(left + pitch * (1 - fill) / 2), _percent(pitch * fill)
        yield '<g class="chart-slot">'
        yield (
            f'<rect class="chart-hover" x="{_percent(left)}" width="{_percent(pitch)}" y="0" height="{BASELINE}">'
            f"<title>{escape(_tooltip(bar))}</title></rect>"
        )
        bottom = float(BASELINE)
        for kind, clicks in (("humans", bar.humans), ("bots", bar.bots)):
            if clicks:
                height = max(LEAST_BAR, (BASELINE - TOP) * clicks / top)
                bottom -= height
                yield (
                    f'<rect class="chart-{kind}" x="{x}" width="{width}" y="{_pixels(bottom)}" '
                    f'height="{_pixels(height)}"/>'
                )
        yield "</g>"


def _fill(bars: int) -> float:
    """The share of a slot that its bar takes: few bars would otherwise be slabs, many a comb."""
    return 0.36 if bars <= FEW_BARS else 0.66 if bars <= 40 else 0.8


def _tooltip(bar: Slot) -> str:
    return f"{bar.label}: {text.count(bar.clicks, 'click')} ({bar.humans:,} by humans, {bar.bots:,} by bots)"


def _labels(bars: Sequence[Slot]) -> Iterator[str]:
    """About six dates below the axis; every other one is `chart-extra`, which the style sheet hides on phones."""
    step = max(1, -(-len(bars) // 7))
    shown = range((len(bars) - 1) % step if bars else 0, len(bars), step)  # the last slot always has one
    for place, index in enumerate(reversed(shown)):
        # The last of many bars stands so close to the edge that its label ends there instead of straddling it.
        at_edge = place == 0 and len(bars) > FEW_BARS
        x = "100%" if at_edge else _percent(100 * (index + 0.5) / len(bars))
        kind = "chart-date" + (" chart-last" if at_edge else " chart-extra" if place % 2 else "")
        yield f'<text class="{kind}" x="{x}" y="{LABEL_Y}">{text.day_short(bars[index].first)}</text>'


def _percent(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".") + "%"


def _pixels(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
