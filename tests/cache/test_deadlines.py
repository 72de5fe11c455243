"""Which keys are due, and that nothing piles up."""

from hypothesis import given
from hypothesis import strategies as st

from hopline.cache.deadlines import SLACK, Deadlines


def all_due(deadlines: Deadlines[int], now: float) -> list[int]:
    due: list[int] = []
    while deadlines.is_past_due(now):
        due += deadlines.take(now, 3)
    return due + deadlines.take_rest(now)


@given(st.dictionaries(st.integers(0, 50), st.integers(0, 400)), st.integers(0, 400))
def test_exactly_the_due_keys_are_taken_and_each_once(sixteenths: dict[int, int], now: int) -> None:
    deadlines: Deadlines[int] = Deadlines()
    for key, deadline in sixteenths.items():
        deadlines.add(key, deadline / 16)

    assert sorted(all_due(deadlines, now / 16)) == sorted(k for k, when in sixteenths.items() if when <= now)
    assert all_due(deadlines, now / 16) == []
    assert sorted(all_due(deadlines, 100.0)) == sorted(k for k, when in sixteenths.items() if when > now)


def test_a_discarded_key_is_never_due() -> None:
    deadlines: Deadlines[int] = Deadlines()
    deadlines.add(1, 5.0)
    deadlines.add(2, 5.0)
    deadlines.discard(1, 5.0)
    deadlines.discard(1, 5.0)
    deadlines.discard(3, 7.0)

    assert all_due(deadlines, 6.0) == [2]


def test_a_key_of_the_tick_that_is_now_is_not_taken_before_it_is_due() -> None:
    deadlines: Deadlines[int] = Deadlines()
    deadlines.add(1, 5.10)

    assert not deadlines.is_past_due(5.05)
    assert deadlines.take(5.05, 10) == []
    assert deadlines.take_rest(5.05) == []
    assert deadlines.take_rest(5.11) == [1]


def test_no_more_are_taken_than_asked_for() -> None:
    deadlines: Deadlines[int] = Deadlines()
    for key in range(10):
        deadlines.add(key, key % 3)

    assert len(deadlines.take(100.0, 4)) == 4
    assert len(deadlines.take(100.0, 100)) == 6


def test_keys_that_leave_early_leave_nothing_behind() -> None:
    deadlines: Deadlines[int] = Deadlines()
    for key in range(10_000):
        deadlines.add(key, float(key))
        deadlines.discard(key, float(key))

    assert deadlines._ticks == {}
    assert len(deadlines._heap) <= SLACK + 1


def test_one_call_passes_a_bounded_number_of_gone_ticks() -> None:
    deadlines: Deadlines[int] = Deadlines()
    for key in range(300):
        deadlines.add(key, float(key))
    for key in range(299):
        deadlines.discard(key, float(key))

    before = len(deadlines._heap)
    assert deadlines.take(1000.0, 1) == []
    assert before - len(deadlines._heap) <= SLACK + 1
    assert all_due(deadlines, 1000.0) == [299]
