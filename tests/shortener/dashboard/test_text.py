"""Numbers and moments as people read them."""

from datetime import UTC, datetime

import pytest

from hopline.shortener.dashboard import text
from hopline.shortener.links import moments


@pytest.mark.parametrize(
    ("number", "label"),
    [(0, "0"), (999, "999"), (1000, "1k"), (1500, "1.5k"), (20_000_000, "20M"), (5 * 10**9, "5B"), (10**15, "1,000T")],
)
def test_axis_labels_are_short_and_exact(number: int, label: str) -> None:
    assert text.compact(number) == label


@pytest.mark.parametrize(
    ("part", "whole", "label"),
    [(0, 0, "0%"), (0, 5, "0%"), (1, 1000, "<1%"), (1, 3, "33%"), (999, 1000, "100%"), (7, 7, "100%")],
)
def test_shares_never_round_a_click_to_nothing(part: int, whole: int, label: str) -> None:
    assert text.percent(part, whole) == label


def test_counts_agree_in_number() -> None:
    assert [text.count(number, "click") for number in (0, 1, 1234)] == ["0 clicks", "1 click", "1,234 clicks"]


def test_moments_are_time_elements_in_utc() -> None:
    at = int(datetime(2026, 1, 31, 14, 5, tzinfo=UTC).timestamp() * 1000)

    assert text.moment(at) == '<time datetime="2026-01-31T14:05:00Z">31 Jan 2026, 14:05 UTC</time>'


@pytest.mark.parametrize("ms", [0, 60_000, 1_700_000_001_000, 1_700_000_000_123, 4_102_444_799_999])
def test_an_expiry_sent_back_unchanged_is_unchanged(ms: int) -> None:
    assert moments.parse(text.input_moment(ms)) == ms
