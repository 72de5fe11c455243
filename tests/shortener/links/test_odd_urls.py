"""URLs as people have really written them: each is taken in the form a browser requests, or refused with a reason."""

from pathlib import Path

import pytest

from hopline.shortener.links.link import InvalidLink
from hopline.shortener.links.urls import UrlRules, normalise_url

TABLE = Path(__file__).parents[2] / "data" / "odd_urls.tsv"


def rows() -> list[tuple[str, str]]:
    """Raw form and expectation of each line; \\t and \\\\ stand for themselves."""
    lines = [line for line in TABLE.read_text(encoding="utf-8").split("\n") if line and not line.startswith("#")]
    pairs = (line.split("\t") for line in lines)
    return [(raw, expected) for raw, expected in pairs]


@pytest.mark.parametrize(("raw", "expected"), rows())
def test_an_address_that_somebody_wrote_is_normalised_or_refused_as_expected(raw: str, expected: str) -> None:
    if expected.startswith("refused: "):
        with pytest.raises(InvalidLink) as refused:
            normalise_url(raw, UrlRules())
        assert expected.removeprefix("refused: ") in str(refused.value)
    else:
        assert normalise_url(raw, UrlRules()) == expected


def test_what_was_normalised_once_stays_as_it_is() -> None:
    for raw, expected in rows():
        if not expected.startswith("refused: "):
            assert normalise_url(expected, UrlRules()) == expected, raw


def test_the_table_has_hundreds_of_rows_of_both_kinds() -> None:
    refused = sum(expected.startswith("refused: ") for _, expected in rows())
    assert len(rows()) >= 250
    assert refused >= 40
