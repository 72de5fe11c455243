import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopline.shortener.clicks.hyperloglog import SPARSE_LIMIT, HyperLogLog

HASHES = st.sets(st.integers(0, 2**64 - 1), max_size=400)


def hashes(count: int, seed: int) -> list[int]:
    rng = random.Random(seed)
    return [rng.getrandbits(64) for _ in range(count)]


@given(st.sets(st.integers(0, 2**64 - 1), max_size=SPARSE_LIMIT))
def test_small_counts_are_exact(values: set[int]) -> None:
    assert HyperLogLog(values).count() == len(values)


@pytest.mark.parametrize("count", [257, 500, 1_000, 3_000, 5_000, 8_000, 20_000, 100_000])
def test_large_counts_are_within_their_error(count: int) -> None:
    errors = [HyperLogLog(hashes(count, seed)).count() / count - 1 for seed in range(12)]
    standard = 1.04 / 2048**0.5
    assert max(map(abs, errors)) < 4 * standard
    # The mean of 12 strays by a standard error / sqrt(12): a bias, such as the raw estimate has here, would show.
    assert abs(sum(errors) / 12) < 3.5 * standard / 12**0.5


@given(HASHES)
def test_order_and_repetition_do_not_matter(values: set[int]) -> None:
    once = HyperLogLog(sorted(values))
    again = HyperLogLog(sorted(values, reverse=True))
    again.update(values)
    assert once.to_bytes() == again.to_bytes()


@given(HASHES, HASHES)
def test_a_merge_is_the_sketch_of_the_union(one: set[int], two: set[int]) -> None:
    merged = HyperLogLog(one)
    merged.merge(HyperLogLog(two))
    assert merged.to_bytes() == HyperLogLog(one | two).to_bytes() or len(one | two) <= SPARSE_LIMIT
    assert merged.count() == HyperLogLog(one | two).count()


@given(HASHES)
def test_bytes_bring_back_the_sketch(values: set[int]) -> None:
    sketch = HyperLogLog(values)
    data = sketch.to_bytes()
    assert len(data) <= 2049
    again = HyperLogLog.from_bytes(data)
    assert again.to_bytes() == data
    assert again.count() == sketch.count()


def test_update_says_whether_anything_changed() -> None:
    values = hashes(1000, 1)
    sketch = HyperLogLog()
    assert sketch.update(values[:10])
    assert not sketch.update(values[:10])
    assert sketch.update(values)
    assert not sketch.update(values)


@given(HASHES)
def test_the_count_never_goes_down(values: set[int]) -> None:
    sketch = HyperLogLog(hashes(300, 2))
    before = sketch.count()
    sketch.update(values)
    assert sketch.count() >= before


def test_no_bytes_are_an_empty_sketch() -> None:
    assert HyperLogLog.from_bytes(b"").count() == 0


@pytest.mark.parametrize(
    "data", [b"\x00", b"\x03" + bytes(8), b"\x01" + bytes(7), b"\x02" + bytes(7), b"\x02" + b"\xff" * 2048]
)
def test_bytes_of_another_kind_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="can't be read by this version"):
        HyperLogLog.from_bytes(data)


def test_extreme_hashes_are_counted() -> None:
    assert HyperLogLog([0, 2**64 - 1]).count() == 2
    sketch = HyperLogLog(range(SPARSE_LIMIT + 1))
    assert sketch.count() > 0
