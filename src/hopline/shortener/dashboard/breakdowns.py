"""Breakdowns of a link's clicks as rows with bars: pure, counts in, words and widths out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hopline.shortener.clicks.protocol import ValueClicks
from hopline.shortener.dashboard import names, text

__all__ = ["Bar", "Breakdown", "breakdowns"]

TOP: Final = 8  # rows shown at once; the rest stands behind "more"
BOT: Final = "bot"


@dataclass(frozen=True, slots=True)
class Bar:
    """One row. `width` is 0 to 100, of the longest bar; `share` is of all clicks by humans, or by bots."""

    label: str
    clicks: int
    share: str
    width: str


@dataclass(frozen=True, slots=True)
class Breakdown:
    """One dimension. With no rows, `empty` says what that means."""

    dimension: str
    title: str
    top: Sequence[Bar]
    more: Sequence[Bar]
    empty: str


def _plain(value: str) -> str:
    return value


def _capital(value: str) -> str:
    return value[:1].upper() + value[1:]


@dataclass(frozen=True, slots=True)
class _Words:
    """How a dimension is spoken of; one without words for emptiness is left out when it is empty."""

    title: str
    empty: str = ""
    label: Callable[[str], str] = _plain


_NO_HUMANS: Final = "No clicks by humans in this range."
_WORDS: Final = {
    "country": _Words("Countries", "No country known; the setting geoip_db names a country database.", names.country),
    "referrer": _Words("Referrers", _NO_HUMANS),
    "browser": _Words("Browsers", _NO_HUMANS),
    "os": _Words("Systems", _NO_HUMANS),
    "device": _Words("Devices", _NO_HUMANS, _capital),
    "language": _Words("Languages", "No language told in this range.", names.language),
    "utm_source": _Words("Campaign sources"),
    "utm_medium": _Words("Campaign media"),
    "utm_campaign": _Words("Campaigns"),
    BOT: _Words("Bots", "No clicks by bots in this range."),
}
# Words that stand for a value in the rollups; the brackets keep them apart from what senders choose.
_LABELS: Final = {
    "other": "Other",
    "(direct)": "Direct, or not told",
    "(invalid)": "Not an address",
    "(empty)": "No user agent",
    "(unnamed)": "Unnamed",
}


def breakdowns(found: Mapping[str, Sequence[ValueClicks]], humans: int, bots: int) -> list[Breakdown]:
    """Every dimension in the order people ask for them, of `humans` and `bots` clicks; no empty campaigns."""
    shown = []
    for dimension, words in _WORDS.items():
        bars = _bars(found.get(dimension, ()), words, bots if dimension == BOT else humans)
        if bars or words.empty:
            shown.append(Breakdown(dimension, words.title, bars[:TOP], bars[TOP:], words.empty))
    return shown


def _bars(entries: Sequence[ValueClicks], words: _Words, whole: int) -> list[Bar]:
    longest = max((entry.clicks for entry in entries), default=0)
    return [
        Bar(
            _LABELS.get(entry.value) or words.label(entry.value),
            entry.clicks,
            text.percent(entry.clicks, whole),
            f"{100 * entry.clicks / longest:.1f}",
        )
        for entry in entries
        if entry.clicks > 0
    ]
