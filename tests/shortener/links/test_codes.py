"""Codes: one for each id, back again, and without a pattern a stranger could use."""

import itertools
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopline.shortener.links.codes import ALPHABET, SEVEN, SIX, CodePermutation
from hopline.shortener.links.words import is_rude, looks_alike

KEY = b"a key of this test, 32 bytes lon"
MILLION = 1_000_000


@pytest.fixture(scope="module")
def codes() -> list[str]:
    """The codes of the first million ids."""
    encode = CodePermutation(KEY).encode
    return [encode(link_id) for link_id in range(MILLION)]


def test_a_million_codes_are_all_different_and_six_characters(codes: list[str]) -> None:
    assert len(set(codes)) == MILLION
    assert set(map(len, codes)) == {6}
    assert set("".join(codes)) <= set(ALPHABET)


def test_neighbours_agree_no_more_than_strangers(codes: list[str]) -> None:
    """Measured: how often neighbours have the same character at the same place; strangers do once in 62."""
    for distance in (1, 2, 62, 1024):
        same = Counter[int]()
        for one, other in zip(codes, codes[distance:], strict=False):
            for place in range(6):
                same[place] += one[place] == other[place]
        pairs = MILLION - distance
        expected = pairs / 62
        deviation = math.sqrt(pairs * (1 / 62) * (61 / 62))

        for place in range(6):
            assert abs(same[place] - expected) < 5 * deviation, (distance, place)


def test_every_place_uses_every_character_evenly(codes: list[str]) -> None:
    """Measured: chi-square of the 62 characters at each place over a million codes; 61 degrees of freedom."""
    for place in range(6):
        counts = Counter(code[place] for code in codes)
        expected = MILLION / 62
        chi_square = sum((counts[character] - expected) ** 2 / expected for character in ALPHABET)

        assert chi_square < 61 + 6 * math.sqrt(2 * 61), place


def test_the_order_of_ids_does_not_show(codes: list[str]) -> None:
    """Measured: how often the next code sorts higher; a coin would say half, a counter always."""
    rises = sum(one < other for one, other in itertools.pairwise(codes))

    assert abs(rises / (MILLION - 1) - 0.5) < 0.005


@given(st.integers(0, SIX + SEVEN - 1))
def test_a_code_leads_back_to_its_id(link_id: int) -> None:
    permutation = CodePermutation(KEY)
    code = permutation.encode(link_id)

    assert permutation.decode(code) == link_id
    assert len(code) == (6 if link_id < SIX else 7)


@given(st.text(ALPHABET, min_size=6, max_size=7))
def test_every_string_of_the_alphabet_is_the_code_of_one_id(code: str) -> None:
    permutation = CodePermutation(KEY)
    link_id = permutation.decode(code)

    assert link_id is not None
    assert permutation.encode(link_id) == code


def test_the_space_goes_on_with_seven_characters() -> None:
    permutation = CodePermutation(KEY)

    assert [len(permutation.encode(link_id)) for link_id in (SIX - 1, SIX, SIX + SEVEN - 1)] == [6, 7, 7]
    for outside in (-1, SIX + SEVEN):
        with pytest.raises(ValueError, match="has no code"):
            permutation.encode(outside)


@pytest.mark.parametrize("code", ["", "abcde", "abcdefgh", "abc-ef", "abcde\u00e9", "abc/ef"])
def test_what_no_id_can_have_decodes_to_nothing(code: str) -> None:
    assert CodePermutation(KEY).decode(code) is None


def test_another_key_is_another_permutation() -> None:
    one, other = CodePermutation(KEY), CodePermutation(bytes(32))
    same = sum(one.encode(link_id) == other.encode(link_id) for link_id in range(10_000))

    assert same == 0
    with pytest.raises(ValueError, match="at least 16 bytes"):
        CodePermutation(b"short")


def test_rude_and_look_alike_codes_are_recognised() -> None:
    assert is_rude("xSh1Tx")
    assert is_rude("n4z1ab")
    assert not is_rude("qW7eRt")
    assert looks_alike("abcdO7")
    assert not looks_alike("acdefg")


def test_most_codes_are_not_rude(codes: list[str]) -> None:
    assert sum(map(is_rude, codes[:100_000])) < 1_000
