"""Counting distinct visitors in two kilobytes: a HyperLogLog with 2,048 registers.

Up to 256 hashes are kept as they are, so small counts are exact. Beyond that a register keeps, for the hashes
that fall to it by their top 11 bits, the longest run of leading zeros in the rest. The estimate is Ertl's
improved one, which is unbiased from one to beyond 10^15 without tables or switching between formulas; its
standard error is 1.04 / sqrt(2048) = 2.3 %.

Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches", https://arxiv.org/abs/1702.01284
"""

import math
from collections.abc import Iterable
from typing import Final

__all__ = ["PRECISION", "SPARSE_LIMIT", "HyperLogLog"]

PRECISION: Final = 11
SPARSE_LIMIT: Final = 256
_REGISTERS: Final = 1 << PRECISION
_BITS: Final = 64 - PRECISION
_REST: Final = (1 << _BITS) - 1
_TOP_RANK: Final = _BITS + 1
_SPARSE: Final = b"\x01"  # the first byte is version and form in one
_DENSE: Final = b"\x02"


class HyperLogLog:
    """A set of 64-bit hashes, of which only the size can be asked. Not thread-safe.

    Hashes must be evenly distributed over all 64 bits (a keyed hash, not a counter).
    """

    __slots__ = ("_exact", "_registers")

    def __init__(self, hashes: Iterable[int] = ()) -> None:
        self._exact: set[int] = set()
        self._registers: bytearray | None = None
        self.update(hashes)

    @classmethod
    def from_bytes(cls, data: bytes) -> "HyperLogLog":
        """The sketch that to_bytes() wrote; ValueError for anything else. Empty bytes are an empty sketch."""
        sketch = cls()
        form, body = data[:1], data[1:]
        if form == _DENSE and len(body) == _REGISTERS and max(body) <= _TOP_RANK:
            sketch._registers = bytearray(body)
        elif form == _SPARSE and len(body) % 8 == 0 and len(body) <= 8 * SPARSE_LIMIT:
            sketch._exact = {int.from_bytes(body[at : at + 8], "little") for at in range(0, len(body), 8)}
        elif data:
            raise ValueError(f"a sketch of {len(data)} bytes in form {form!r} can't be read by this version")
        return sketch

    def to_bytes(self) -> bytes:
        """At most 2,049 bytes; the same set of hashes gives the same bytes."""
        if self._registers is not None:
            return _DENSE + self._registers
        return _SPARSE + b"".join(value.to_bytes(8, "little") for value in sorted(self._exact))

    def update(self, hashes: Iterable[int]) -> bool:
        """Add hashes; whether that changed anything."""
        if self._registers is not None:
            return _raise_registers(self._registers, hashes)
        before = len(self._exact)
        self._exact.update(hashes)
        if len(self._exact) > SPARSE_LIMIT:
            self._registers = bytearray(_REGISTERS)
            _raise_registers(self._registers, self._exact)
            self._exact = set()
            return True
        return len(self._exact) != before

    def merge(self, other: "HyperLogLog") -> None:
        """Become the union of both."""
        if other._registers is None:
            self.update(other._exact)
            return
        mine = self._dense()
        self._registers = bytearray(map(max, mine, other._registers))
        self._exact = set()

    def count(self) -> int:
        """About how many different hashes were added: exact up to 256, then within 2.3 % (standard error)."""
        if self._registers is None:
            return len(self._exact)
        return round(_estimate(self._registers))

    def _dense(self) -> bytearray:
        if self._registers is not None:
            return self._registers
        registers = bytearray(_REGISTERS)
        _raise_registers(registers, self._exact)
        return registers


def _raise_registers(registers: bytearray, hashes: Iterable[int]) -> bool:
    changed = False
    for value in hashes:
        rank = _TOP_RANK - (value & _REST).bit_length()
        index = value >> _BITS
        if rank > registers[index]:
            registers[index] = rank
            changed = True
    return changed


def _estimate(registers: bytes | bytearray) -> float:
    counts = [registers.count(rank) for rank in range(_TOP_RANK + 1)]
    z = _REGISTERS * _tau(1 - counts[_TOP_RANK] / _REGISTERS)
    for rank in range(_BITS, 0, -1):
        z = 0.5 * (z + counts[rank])
    z += _REGISTERS * _sigma(counts[0] / _REGISTERS)
    return _REGISTERS * _REGISTERS / (2 * math.log(2) * z)


def _sigma(x: float) -> float:
    """The correction for registers still at zero (small counts): x + sum of x^(2^k) * 2^(k-1)."""
    if x == 1.0:
        return math.inf
    y, z, before = 1.0, x, -1.0
    while z != before:
        x *= x
        before = z
        z += x * y
        y += y
    return z


def _tau(x: float) -> float:
    """The correction for registers at the top (counts near 2^64)."""
    if x in (0.0, 1.0):
        return 0.0
    y, z, before = 1.0, 1 - x, -1.0
    while z != before:
        x = math.sqrt(x)
        before = z
        y *= 0.5
        z -= (1 - x) ** 2 * y
    return z / 3
