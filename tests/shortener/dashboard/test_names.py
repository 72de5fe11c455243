"""The tables of names."""

import re

from hopline.shortener.dashboard import names


def test_all_countries_of_the_standard_and_kosovo_have_a_name() -> None:
    assert len(names.COUNTRIES) == 250
    assert all(re.fullmatch("[A-Z]{2}", code) for code in names.COUNTRIES)
    assert all(re.fullmatch(r"\w[\w .,'-]+", name) for name in names.COUNTRIES.values())
    assert len(set(names.COUNTRIES.values())) == 250


def test_names_are_found_in_any_case_and_unknown_codes_stay() -> None:
    assert [names.country(code) for code in ("de", "CI", "", "QQ")] == ["Germany", "Côte d'Ivoire", "", "QQ"]
    assert [names.language(tag) for tag in ("DE", "en_gb", "zh-Hant-TW", "x-klingon", "*")] == [
        "German",
        "English (United Kingdom)",
        "Chinese (Taiwan)",
        "x-klingon",
        "*",
    ]
