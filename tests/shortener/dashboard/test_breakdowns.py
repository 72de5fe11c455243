"""Breakdowns as bars: names for codes, shares of the whole, widths of the longest."""

from hopline.shortener.clicks.protocol import DIMENSIONS, ValueClicks
from hopline.shortener.dashboard.breakdowns import TOP, Breakdown, breakdowns


def by_dimension(found: dict[str, list[ValueClicks]]) -> dict[str, Breakdown]:
    return {breakdown.dimension: breakdown for breakdown in breakdowns(found, humans=200, bots=20)}


def test_bars_are_as_long_as_their_part_of_the_longest() -> None:
    found = {"browser": [ValueClicks("Firefox", 120), ValueClicks("Chrome", 60), ValueClicks("Edge", 20)]}

    bars = by_dimension(found)["browser"].top

    assert [(bar.label, bar.clicks, bar.share, bar.width) for bar in bars] == [
        ("Firefox", 120, "60%", "100.0"),
        ("Chrome", 60, "30%", "50.0"),
        ("Edge", 20, "10%", "16.7"),
    ]


def test_shares_are_of_all_clicks_by_humans_or_by_bots_not_of_those_that_told() -> None:
    found = {"utm_source": [ValueClicks("newsletter", 5)], "bot": [ValueClicks("Googlebot", 5)]}

    shares = {name: [bar.share for bar in shown.top] for name, shown in by_dimension(found).items()}

    assert (shares["utm_source"], shares["bot"]) == (["2%"], ["25%"])


def test_codes_are_shown_as_names_and_stand_ins_as_words() -> None:
    found = {
        "country": [ValueClicks("DE", 3), ValueClicks("ZZ", 2), ValueClicks("other", 1)],
        "language": [ValueClicks("pt-BR", 3), ValueClicks("tlh", 2)],
        "referrer": [ValueClicks("(direct)", 3), ValueClicks("lobste.rs", 2), ValueClicks("(invalid)", 1)],
        "device": [ValueClicks("mobile", 2), ValueClicks("other", 1)],
        "bot": [ValueClicks("(empty)", 1), ValueClicks("(unnamed)", 1)],
    }

    labels = {name: [bar.label for bar in shown.top] for name, shown in by_dimension(found).items()}

    assert labels["country"] == ["Germany", "ZZ", "Other"]
    assert labels["language"] == ["Portuguese (Brazil)", "tlh"]
    assert labels["referrer"] == ["Direct, or not told", "lobste.rs", "Not an address"]
    assert labels["device"] == ["Mobile", "Other"]
    assert labels["bot"] == ["No user agent", "Unnamed"]


def test_the_tail_waits_behind_more() -> None:
    found = {"os": [ValueClicks(f"system {index}", 100 - index) for index in range(TOP + 3)]}

    shown = by_dimension(found)["os"]

    assert (len(shown.top), len(shown.more)) == (TOP, 3)


def test_campaigns_are_shown_only_where_links_carried_any() -> None:
    assert "utm_source" not in by_dimension({"utm_source": []})
    assert "utm_source" in by_dimension({"utm_source": [ValueClicks("newsletter", 1)]})


def test_every_dimension_that_is_counted_can_be_shown() -> None:
    assert set(by_dimension({name: [ValueClicks("x", 1)] for name in DIMENSIONS})) == set(DIMENSIONS)


def test_an_empty_breakdown_says_why() -> None:
    shown = by_dimension({})

    assert "geoip_db" in shown["country"].empty
    assert all(breakdown.empty and not breakdown.top for breakdown in shown.values())
