"""Codes people choose: what is taken, what is refused, and how a path becomes one."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopline.shortener.links.custom_codes import RESERVED, code_from_path, normalise_code
from hopline.shortener.links.link import InvalidLink


@pytest.mark.parametrize(
    "code",
    [
        "a",
        "spring-sale",
        "a_b.c~d",
        "team/2026/launch",
        "\u6f22\u5b57",
        "\u00fcber",
        "\u0939\u093f\u0928\u094d\u0926\u0940",  # Hindi, with its vowel signs
        "x" * 128,
        "7",
        "API2",
        "statss",
        "a/stats2",
    ],
)
def test_good_codes_stay_as_they_are(code: str) -> None:
    assert normalise_code(code) == code


def test_codes_are_normalised_to_nfc() -> None:
    assert normalise_code("u\u0308ber") == "\u00fcber"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("", "at least one"),
        ("x" * 129, "128"),
        ("a b", "a space"),
        ("a\u200bb", "U\\+200B"),
        ("a\r\nb", "white space"),
        ("a\0b", "U\\+0000"),
        ("\U0001f600", "letters, digits"),
        ("a%2e", "letters, digits"),
        ("a?b", "letters, digits"),
        ("\u0301a", "combining mark"),
        ("a/\u0301b", "combining mark"),
        ("a-\u093f", "combining mark"),
        ("a\ufe0f", "invisible character U\\+FE0F"),
        ("a\u3164b", "invisible character U\\+3164"),
        ("a\u034fb", "invisible character U\\+034F"),
        ("a\u200db", "invisible character U\\+200D"),
        ("1\u20e3", "letters, digits"),  # a keycap: an emoji in the end
        ("/a", "between"),
        ("a/", "between"),
        ("a//b", "between"),
        ("a/../b", "rewrite"),
        (".", "rewrite"),
        ("api", "belongs to the service"),
        ("Dashboard/x", "belongs to the service"),
        ("robots.txt", "belongs to the service"),
        ("a/stats", "statistics"),
    ],
)
def test_bad_codes_are_refused_with_a_reason(code: str, reason: str) -> None:
    with pytest.raises(InvalidLink, match=reason) as caught:
        normalise_code(code)

    assert caught.value.field == "custom_code"


@pytest.mark.parametrize("word", sorted(RESERVED))
def test_reserved_words_are_refused_in_any_case(word: str) -> None:
    with pytest.raises(InvalidLink):
        normalise_code(word.upper())


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (b"abc123", "abc123"),
        (b"%E6%BC%A2%E5%AD%97", "\u6f22\u5b57"),
        (b"u%CC%88ber", "\u00fcber"),
        (b"team/2026", "team/2026"),
        (b"a%2Fb", "a/b"),
        (b"", None),
        (b"a b", None),
        (b"%ff", None),
        (b"a%EF%B8%8F", None),
        (b"a%00", None),
        (b"a" * 129, None),
        (b"a" * 100_000, None),
    ],
)
def test_a_path_names_the_code_it_was_written_for(path: bytes, code: str | None) -> None:
    assert code_from_path(path) == code


@given(st.text(max_size=140))
def test_whatever_is_typed_is_taken_or_refused(text: str) -> None:
    try:
        code = normalise_code(text)
    except InvalidLink:
        return

    assert normalise_code(code) == code == unicodedata.normalize("NFC", code)
    assert code_from_path(code.encode()) == code
