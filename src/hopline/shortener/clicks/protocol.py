"""What the shortener may rely on in click statistics, whatever database is behind them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["DIMENSIONS", "ClickStore", "DayClicks", "LinkStats", "LinkTotals", "ValueClicks"]

# Breakdowns kept for each link and day; all values are the sender's to choose, hence top 50 and "other".
# "bot" counts the clicks of bots by the bot's name, all the others count the clicks of humans.
DIMENSIONS = (
    "browser",
    "os",
    "device",
    "country",
    "referrer",
    "language",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "bot",
)


@dataclass(frozen=True, slots=True)
class LinkTotals:
    """All-time totals of one link. clicks = humans + bots; heads and prefetches are not clicks."""

    clicks: int = 0
    humans: int = 0
    bots: int = 0
    heads: int = 0
    prefetches: int = 0
    last_click: int | None = None  # ms since 1970


@dataclass(frozen=True, slots=True)
class DayClicks:
    """One UTC day ("2026-01-31"); `visitors` estimates distinct human visitors of that day."""

    day: str
    clicks: int
    humans: int
    bots: int
    visitors: int


@dataclass(frozen=True, slots=True)
class ValueClicks:
    """Clicks with one value of a dimension."""

    value: str
    clicks: int


@dataclass(frozen=True, slots=True)
class LinkStats:
    """A link's all-time totals, and its days and breakdowns within a range.

    `visitors` is the sum of daily uniques, since visitors can't be recognised from one day to the next.
    """

    totals: LinkTotals
    visitors: int
    days: Sequence[DayClicks]  # every day of the range, oldest first, days without clicks included
    breakdowns: dict[str, Sequence[ValueClicks]]  # by dimension, most clicks first


class ClickStore(Protocol):
    """Read side of the rollups. Task-safe."""

    async def stats(self, link_id: int, first_day: str, last_day: str) -> LinkStats:
        """Totals, and the days from `first_day` to `last_day` inclusive (UTC, ISO dates, at most 366 days)."""
        ...

    async def totals(self, link_ids: Sequence[int]) -> dict[int, LinkTotals]:
        """All-time totals of several links; a link without clicks is missing from the answer."""
        ...

    async def close(self) -> None:
        """Release files and threads. Idempotent."""
        ...
