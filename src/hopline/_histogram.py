"""A histogram of durations with a bounded error and a bounded size, in the manner of HdrHistogram.

Durations are whole nanoseconds. Each power of two is cut into 16 buckets of equal width, so a bucket is at most a
sixteenth wide of what is in it, from a nanosecond to 73 minutes, in 624 integers. Histograms of several workers add
up exactly, bucket by bucket, which means and quantiles never do; quantiles are computed from the sum.
http://hdrhistogram.org. Pure.
"""

from dataclasses import dataclass, field
from itertools import accumulate
from math import ceil
from typing import Final

__all__ = ["BOUNDS_NS", "Distribution", "Histogram"]

# Four bits: 16 buckets an octave. The arithmetic in `record` has the number written out.
_BITS: Final = 4
_OCTAVES: Final = 38  # above the first 16 ns, up to 2**42 ns
_BUCKETS: Final = 16 * (_OCTAVES + 1)
# Where an outside reader's coarser buckets end, in ns: at powers of two, 16 µs to 17 s, where ours end too.
BOUNDS_NS: Final = tuple(1 << power for power in range(14, 35))


def _index(nanoseconds: int) -> int:
    """The bucket of a duration; the last one takes whatever is longer."""
    if nanoseconds < 16:
        return max(nanoseconds, 0)
    shift = nanoseconds.bit_length() - _BITS - 1
    return min((shift << _BITS) + (nanoseconds >> shift), _BUCKETS - 1)


def _end(index: int) -> int:
    """The first duration, in ns, beyond a bucket."""
    if index < 32:
        return index + 1
    shift = (index >> _BITS) - 1
    return ((index & 15) + 17) << shift


@dataclass(frozen=True, slots=True)
class Distribution:
    """What a histogram held at one moment; add two with `+`.

    `buckets` are (index, count) of those that hold something, by index; `total_ns` is the exact sum of all durations.
    """

    buckets: tuple[tuple[int, int], ...] = ()
    total_ns: int = 0
    count: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "count", sum(count for _, count in self.buckets))

    def __add__(self, other: "Distribution") -> "Distribution":
        summed = dict(self.buckets)
        for index, count in other.buckets:
            summed[index] = summed.get(index, 0) + count
        return Distribution(tuple(sorted(summed.items())), self.total_ns + other.total_ns)

    @property
    def total_seconds(self) -> float:
        """The sum of all durations."""
        return self.total_ns / 1e9

    def quantile(self, fraction: float) -> float:
        """Seconds that `fraction` of the durations don't exceed: never too little, at most a sixteenth too much.

        What is over 73 minutes counts as 73 minutes. 0.0 where nothing was recorded; ValueError outside 0 to 1.
        """
        if not 0 <= fraction <= 1:
            raise ValueError(f"a quantile is asked for with a fraction from 0 to 1, not {fraction!r}")
        wanted = ceil(round(fraction * self.count, 6))  # 0.07 of 100 is the seventh, though 0.07 * 100 > 7
        for index, so_far in zip(self.buckets, accumulate(count for _, count in self.buckets), strict=True):
            if so_far >= wanted:
                return (_end(index[0]) - 1) / 1e9
        return 0.0

    def counts_below(self, bounds_ns: tuple[int, ...] = BOUNDS_NS) -> list[int]:
        """How many durations were below each bound, powers of two in rising order; exact."""
        counts = []
        below = 0
        at = 0
        for bound in bounds_ns:
            end = _index(bound)
            while at < len(self.buckets) and self.buckets[at][0] < end:
                below += self.buckets[at][1]
                at += 1
            counts.append(below)
        return counts


class Histogram:
    """Counts durations. Written by one thread, or under its owner's lock; `snapshot` may be taken on any."""

    __slots__ = ("_counts", "_total_ns")

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self._total_ns = 0

    def record(self, seconds: float) -> None:
        """Count one finite duration; a negative one as 0. 210 ns (CPython 3.11)."""
        nanoseconds = int(seconds * 1e9)
        if nanoseconds < 16:  # as in _index, without the call
            if nanoseconds < 0:
                nanoseconds = 0
            index = nanoseconds
        else:
            shift = nanoseconds.bit_length() - 5
            index = shift * 16 + (nanoseconds >> shift)
            if index >= _BUCKETS:
                index = _BUCKETS - 1
        self._counts[index] += 1
        self._total_ns += nanoseconds

    def add(self, other: Distribution) -> None:
        """Count in what another histogram held."""
        for index, count in other.buckets:
            self._counts[index] += count
        self._total_ns += other.total_ns

    def snapshot(self) -> Distribution:
        """What was counted so far."""
        return Distribution(tuple((i, count) for i, count in enumerate(self._counts) if count), self._total_ns)
