"""What the templates are given of a link and its clicks: plain values, made from what the service answers. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import unquote

from markupsafe import Markup

from hopline.shortener.clicks.protocol import LinkStats, LinkTotals
from hopline.shortener.dashboard.breakdowns import Breakdown, breakdowns
from hopline.shortener.dashboard.charts import Slot, clicks_chart, slots
from hopline.shortener.dashboard.pages import code_path
from hopline.shortener.links.link import Link

__all__ = ["DEFAULT_RANGE", "RANGES", "ShownClicks", "ShownLink", "day_range", "read_range"]

RANGES: Final = (7, 30, 90, 365)  # days
DEFAULT_RANGE: Final = 30
_NOT_IN_FILE_NAMES: Final = re.compile(r"[^A-Za-z0-9._~-]+")


@dataclass(frozen=True, slots=True)
class ShownLink:
    """A link with its addresses. `totals` is None where the clicks can't be read at the moment."""

    link: Link
    short_url: str
    totals: LinkTotals | None
    expired: bool

    @classmethod
    def of(cls, link: Link, short_url: str, totals: LinkTotals | None, now_ms: float) -> "ShownLink":
        """`link` as it is at `now_ms`."""
        expired = link.expires_at is not None and link.expires_at <= now_ms
        return cls(link, short_url, totals, expired)

    @property
    def shown(self) -> str:
        """The short URL as people read it aloud: no scheme, no percent signs."""
        return unquote(self.short_url.partition("://")[2])

    @property
    def host(self) -> str:
        """What stands before the code, slash included."""
        return self.shown.removesuffix(self.link.code)

    @property
    def file_name(self) -> str:
        """A name for files about this link, safe on every system."""
        return "qr-" + _NOT_IN_FILE_NAMES.sub("-", self.link.code)

    @property
    def page(self) -> str:
        """The path of the link's page."""
        return code_path("/dashboard/links", self.link.code)

    @property
    def delete_page(self) -> str:
        """The path of the page that asks before deleting."""
        return code_path("/dashboard/delete", self.link.code)

    @property
    def qr_svg(self) -> str:
        """The path of the QR code as SVG."""
        return code_path("/dashboard/qr/svg", self.link.code)

    @property
    def qr_png(self) -> str:
        """The path of the QR code as PNG."""
        return code_path("/dashboard/qr/png", self.link.code)


@dataclass(frozen=True, slots=True)
class ShownClicks:
    """The clicks of a range of days, counted, drawn and broken down."""

    clicks: int
    humans: int
    bots: int
    visitors: int
    unit: str
    bars: Sequence[Slot]
    chart: Markup
    breakdowns: Sequence[Breakdown]

    @classmethod
    def of(cls, stats: LinkStats) -> "ShownClicks":
        """`stats`, whose totals are of all time, as the figures of its days."""
        bars = slots(stats.days)
        humans, bots = sum(bar.humans for bar in bars), sum(bar.bots for bar in bars)
        return cls(
            clicks=humans + bots,
            humans=humans,
            bots=bots,
            visitors=stats.visitors,
            unit="Day" if all(bar.first == bar.last for bar in bars) else "Week",
            bars=bars,
            chart=Markup(clicks_chart(bars)),  # noqa: S704 - made of numbers and dates, escaped where it is made
            breakdowns=breakdowns(stats.breakdowns, humans, bots),
        )


def read_range(typed: str) -> int:
    """The number of days asked for; the default for anything that isn't offered."""
    return next((days for days in RANGES if typed == str(days)), DEFAULT_RANGE)


def day_range(days: int, now: float) -> tuple[str, str]:
    """The first and last of the `days` UTC days that end with the one of `now` (seconds since 1970)."""
    today = datetime.fromtimestamp(now, UTC).date()
    return (today - timedelta(days=days - 1)).isoformat(), today.isoformat()
