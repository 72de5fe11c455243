"""Short codes from a counter: a keyed permutation, so that codes never collide and can't be guessed in sequence.

The codes of six characters of base 62 are the numbers below 62^6 (56.8 thousand million). A counter value is
sent through a Feistel network over 36 bits, six rounds keyed by HMAC-derived constants; where the result
falls outside the space it is sent through again (cycle walking: 62^6 is 83 % of 2^36, so 1.2 passes on
average). Both are one-to-one, hence so is the whole: different ids have different codes, and no look-up is
needed either way. This hides the order of ids from strangers; it is not encryption of anything secret.

Ids beyond the space continue with seven characters, in a network over 42 bits. See Black and Rogaway,
"Ciphers with Arbitrary Finite Domains" (2002).
"""

import hashlib
import hmac
from typing import Final

__all__ = ["ALPHABET", "SIX", "CodePermutation"]

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
BASE: Final = 62
SIX: Final = BASE**6
SEVEN: Final = BASE**7
ROUNDS: Final = 6
_MASK64: Final = (1 << 64) - 1
_VALUES: Final = {character: value for value, character in enumerate(ALPHABET)}
_PAIRS: Final = [a + b for a in ALPHABET for b in ALPHABET]  # two characters at a time: half the divisions


class _Feistel:
    """A permutation of the numbers below `size`, which must lie between 2^(2·half - 1) and 2^(2·half)."""

    __slots__ = ("_half", "_keys", "_mask", "_size")

    def __init__(self, key: bytes, size: int) -> None:
        self._size = size
        self._half = ((size - 1).bit_length() + 1) // 2
        self._mask = (1 << self._half) - 1
        label = f"hopline code permutation {size}".encode()
        stream = b"".join(hmac.digest(key, label + bytes([n]), hashlib.sha256) for n in range(ROUNDS))
        words = [int.from_bytes(stream[at : at + 8], "little") for at in range(0, 32 * ROUNDS, 32)]
        odd = [int.from_bytes(stream[at : at + 8], "little") | 1 for at in range(8, 32 * ROUNDS, 32)]
        self._keys = tuple(zip(words, odd, strict=True))

    def forward(self, value: int) -> int:
        half, mask = self._half, self._mask
        while True:
            left, right = value >> half, value & mask
            for add, multiply in self._keys:
                mixed = ((right + add) * multiply) & _MASK64
                mixed = ((mixed ^ mixed >> 29) * 0xBF58476D1CE4E5B9) & _MASK64
                left, right = right, left ^ (mixed >> 40) & mask
            value = left << half | right
            if value < self._size:
                return value

    def backward(self, value: int) -> int:
        half, mask = self._half, self._mask
        while True:
            left, right = value >> half, value & mask
            for add, multiply in reversed(self._keys):
                mixed = ((left + add) * multiply) & _MASK64
                mixed = ((mixed ^ mixed >> 29) * 0xBF58476D1CE4E5B9) & _MASK64
                left, right = right ^ (mixed >> 40) & mask, left
            value = left << half | right
            if value < self._size:
                return value


class CodePermutation:
    """Codes of ids under one key. Immutable and thread-safe; the key must stay the same as long as the links live."""

    __slots__ = ("_seven", "_six")

    def __init__(self, key: bytes) -> None:
        if len(key) < 16:
            raise ValueError(f"a permutation key must have at least 16 bytes, not {len(key)}")
        self._six = _Feistel(key, SIX)
        self._seven = _Feistel(key, SEVEN)

    def encode(self, link_id: int) -> str:
        """The code of `link_id`: six characters below 62^6, seven up to 62^6 + 62^7. ValueError beyond."""
        if 0 <= link_id < SIX:
            value = self._six.forward(link_id)
            high, middle = divmod(value, BASE**4)
            first, second = divmod(middle, BASE**2)
            return _PAIRS[high] + _PAIRS[first] + _PAIRS[second]
        if SIX <= link_id < SIX + SEVEN:
            value = self._seven.forward(link_id - SIX)
            top, value = divmod(value, BASE**6)
            high, middle = divmod(value, BASE**4)
            first, second = divmod(middle, BASE**2)
            return ALPHABET[top] + _PAIRS[high] + _PAIRS[first] + _PAIRS[second]
        raise ValueError(f"id {link_id} has no code; ids run from 0 to {SIX + SEVEN - 1}")

    def decode(self, code: str) -> int | None:
        """The id whose code is `code`; None where no id can have it."""
        if len(code) not in (6, 7):
            return None
        value = 0
        for character in code:
            digit = _VALUES.get(character)
            if digit is None:
                return None
            value = value * BASE + digit
        return self._six.backward(value) if len(code) == 6 else self._seven.backward(value) + SIX
