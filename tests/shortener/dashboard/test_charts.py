"""The chart of clicks: pure, so every promise is a table or a parsed drawing."""

from datetime import date, timedelta
from xml.etree import ElementTree

import pytest

from hopline.shortener.clicks.protocol import DayClicks
from hopline.shortener.dashboard.charts import BASELINE, LEAST_BAR, TOP, Slot, axis_ticks, clicks_chart, slots


def days_of(*humans_and_bots: tuple[int, int], first: str = "2026-01-01") -> list[DayClicks]:
    start = date.fromisoformat(first)
    return [
        DayClicks((start + timedelta(days=index)).isoformat(), humans + bots, humans, bots, visitors=humans)
        for index, (humans, bots) in enumerate(humans_and_bots)
    ]


def drawing(bars: list[Slot]) -> ElementTree.Element:
    return ElementTree.fromstring(clicks_chart(bars))  # noqa: S314 - our own drawing


def drawn(svg: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
    return [element for element in svg.iter() if kind in element.get("class", "").split()]


def heights(svg: ElementTree.Element, kind: str) -> list[float]:
    return [float(bar.attrib["height"]) for bar in drawn(svg, kind)]


@pytest.mark.parametrize(
    ("top", "expected"),
    [
        (0, [0, 1]),
        (1, [0, 1]),
        (4, [0, 1, 2, 3, 4]),
        (5, [0, 2, 4, 6]),
        (10, [0, 5, 10]),
        (11, [0, 5, 10, 15]),
        (99, [0, 50, 100]),
        (1234, [0, 500, 1000, 1500]),
        (10**15, [0, 5 * 10**14, 10**15]),
    ],
)
def test_axis_takes_few_whole_round_steps(top: int, expected: list[int]) -> None:
    assert axis_ticks(top) == expected


def test_axis_reaches_over_the_highest_bar_and_not_far() -> None:
    for top in (*range(3000), 123_456_789, 2**63):
        ticks = axis_ticks(top)

        assert ticks[-2] < max(top, 1) <= ticks[-1], top
        assert 2 <= len(ticks) <= 5, top


def test_bars_are_as_high_as_their_clicks_and_bots_stand_on_humans() -> None:
    svg = drawing(slots(days_of((50, 50), (100, 0))))

    full = BASELINE - TOP
    assert heights(svg, "chart-humans") == [full / 2, full]
    assert heights(svg, "chart-bots") == [full / 2]
    assert float(drawn(svg, "chart-bots")[0].attrib["y"]) == TOP


def test_one_click_beside_a_million_is_still_seen() -> None:
    svg = drawing(slots(days_of((1, 0), (1_000_000, 0))))

    assert heights(svg, "chart-humans")[0] == LEAST_BAR


def test_no_bar_leaves_the_drawing_with_huge_numbers() -> None:
    svg = drawing(slots(days_of((10**15, 10**15), (3, 0))))

    assert all(float(bar.attrib["y"]) >= TOP - 0.01 for bar in drawn(svg, "chart-bots"))
    assert [tick.text for tick in drawn(svg, "chart-tick")] == ["0", "500T", "1,000T", "1,500T", "2,000T"]


def test_no_clicks_draw_axes_and_say_so() -> None:
    svg = drawing(slots(days_of((0, 0), (0, 0))))

    assert not drawn(svg, "chart-humans")
    assert not drawn(svg, "chart-bots")
    assert [element.text for element in drawn(svg, "chart-empty")] == ["No clicks in this range"]
    assert [tick.text for tick in drawn(svg, "chart-tick")] == ["0", "1"]


def test_no_days_at_all_draw_an_empty_chart() -> None:
    svg = drawing([])

    assert not drawn(svg, "chart-slot")
    assert drawn(svg, "chart-empty")


def test_one_day_is_one_bar_inside_the_drawing() -> None:
    svg = drawing(slots(days_of((3, 1))))

    (bar,) = drawn(svg, "chart-humans")
    left, width = (float(bar.attrib[name].rstrip("%")) for name in ("x", "width"))
    assert 0 < left < left + width < 100
    assert [label.text for label in drawn(svg, "chart-date")] == ["1 Jan"]


def test_a_year_is_drawn_by_calendar_weeks_without_losing_a_click() -> None:
    year = days_of(*[(index, 1) for index in range(365)], first="2025-01-01")  # a Wednesday

    bars = slots(year)

    assert len(bars) == 53
    assert (bars[0].first, bars[0].last) == (date(2025, 1, 1), date(2025, 1, 5))
    assert all(bar.first.weekday() == 0 for bar in bars[1:])
    assert sum(bar.clicks for bar in bars) == sum(day.clicks for day in year)
    assert sum(bar.visitors for bar in bars) == sum(day.visitors for day in year)


def test_ninety_days_are_drawn_by_day() -> None:
    assert len(slots(days_of(*[(1, 0)] * 90))) == 90


@pytest.mark.parametrize("count", [1, 2, 7, 8, 30, 53, 90, 120])
def test_dates_below_the_axis_are_few_and_include_the_last(count: int) -> None:
    bars = slots(days_of(*[(1, 0)] * count))

    labels = [label.text for label in drawn(drawing(bars), "chart-date")]

    assert 1 <= len(labels) <= 7
    last = bars[-1].first
    assert labels[0] == f"{last.day} {('Jan', 'Feb', 'Mar', 'Apr')[last.month - 1]}"


def test_those_who_cannot_see_it_are_told_what_it_shows() -> None:
    svg = drawing(slots(days_of((5, 1), (9, 0), (1, 1))))

    assert svg.attrib["role"] == "img"
    named = {element.get("id"): element.text for element in svg}
    title, description = (named[name] for name in svg.attrib["aria-labelledby"].split())
    assert title == "Clicks by day, 1 Jan to 3 Jan 2026"
    assert description == "17 clicks: 15 by humans, 2 by bots. Most were on 2 Jan 2026: 9."


def test_every_bar_tells_its_numbers_when_pointed_at() -> None:
    svg = drawing(slots(days_of((1, 0), (1200, 34))))

    tips = [area[0].text for area in drawn(svg, "chart-hover")]
    assert tips == [
        "1 Jan 2026: 1 click (1 by humans, 0 by bots)",
        "2 Jan 2026: 1,234 clicks (1,200 by humans, 34 by bots)",
    ]


def test_no_style_attribute_stands_in_the_drawing() -> None:
    assert "style=" not in clicks_chart(slots(days_of((1, 2), (3, 4))))


@pytest.mark.parametrize(
    ("first", "last", "label"),
    [
        ("2026-01-31", "2026-01-31", "31 Jan 2026"),
        ("2026-01-26", "2026-02-01", "26 Jan to 1 Feb 2026"),
        ("2025-12-29", "2026-01-04", "29 Dec 2025 to 4 Jan 2026"),
    ],
)
def test_slots_are_called_by_their_days(first: str, last: str, label: str) -> None:
    assert Slot(date.fromisoformat(first), date.fromisoformat(last), 0, 0, 0).label == label
