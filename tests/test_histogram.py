"""The histogram keeps its error bound, adds up exactly, and never grows."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopline._histogram import BOUNDS_NS, Distribution, Histogram, _end, _index

LONGEST_NS = (1 << 42) - 1
DURATIONS = st.lists(st.integers(0, LONGEST_NS), min_size=1, max_size=60)


def recorded(nanoseconds: list[int]) -> Distribution:
    histogram = Histogram()
    for each in nanoseconds:
        histogram.record(each / 1e9)
    return histogram.snapshot()


def test_the_buckets_follow_each_other_without_gap_or_overlap() -> None:
    start = 0
    for index in range(624):
        assert _index(start) == index
        assert _index(_end(index) - 1) == index
        assert (_end(index) - start) * 16 <= max(start, 16)
        start = _end(index)
    assert start == LONGEST_NS + 1


@given(st.integers(0, LONGEST_NS))
def test_recording_counts_in_the_bucket_of_the_duration(nanoseconds: int) -> None:
    held = recorded([nanoseconds])

    assert held.count == 1
    assert held.buckets == ((_index(held.total_ns), 1),)
    assert abs(held.total_ns - nanoseconds) <= 1  # seconds are floats


@pytest.mark.parametrize(("seconds", "index"), [(-1.0, 0), (0.0, 0), (2**42 / 1e9, 623), (1e9, 623)])
def test_what_is_out_of_range_counts_at_the_end(seconds: float, index: int) -> None:
    histogram = Histogram()
    histogram.record(seconds)

    assert histogram.snapshot().buckets == ((index, 1),)


@given(DURATIONS, st.floats(0, 1))
def test_a_quantile_is_never_too_little_and_at_most_a_sixteenth_too_much(ns: list[int], fraction: float) -> None:
    rank = max(math.ceil(round(fraction * len(ns), 6)), 1)
    exact = sorted(ns)[rank - 1]

    answer = recorded(ns).quantile(fraction) * 1e9

    assert exact - 2 <= answer <= exact * (1 + 1 / 16) + 2


def test_quantiles_of_known_durations() -> None:
    held = recorded([each * 1_000_000 for each in range(1, 101)])

    assert held.quantile(0.5) == pytest.approx(0.050, rel=1 / 16)
    assert held.quantile(0.99) == pytest.approx(0.099, rel=1 / 16)
    assert held.quantile(0.07) == pytest.approx(0.007, rel=1 / 16)
    assert held.total_seconds == pytest.approx(5.050)


def test_nothing_recorded_has_a_quantile_of_zero_and_no_other_fraction_is_taken() -> None:
    assert Distribution().quantile(0.99) == 0.0
    for fraction in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="fraction from 0 to 1"):
            Distribution().quantile(fraction)


@given(DURATIONS, DURATIONS)
def test_two_histograms_add_up_to_one_that_saw_everything(one: list[int], other: list[int]) -> None:
    added = Histogram()
    added.add(recorded(one))
    added.add(recorded(other))

    assert recorded(one) + recorded(other) == recorded(one + other) == added.snapshot()


@given(DURATIONS)
def test_the_counts_below_the_outside_bounds_are_exact(ns: list[int]) -> None:
    histogram = Histogram()
    seen = []
    for each in ns:
        before = histogram.snapshot().total_ns
        histogram.record(each / 1e9)
        seen.append(histogram.snapshot().total_ns - before)

    assert histogram.snapshot().counts_below() == [sum(each < bound for each in seen) for bound in BOUNDS_NS]


def test_it_never_grows() -> None:
    histogram = Histogram()
    for power in range(200):
        histogram.record(1.5**power / 1e9)

    assert len(histogram._counts) == 624
