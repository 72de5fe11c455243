"""A link's clicks through the API."""

import pytest

from hopline.shortener.clicks.protocol import DIMENSIONS, LinkTotals
from tests.shortener.api.conftest import Api, check_problem


async def test_totals_are_of_all_time_and_days_of_the_range(api: Api) -> None:
    await api.made(custom_code="mine")
    api.clicks.by_link[1] = LinkTotals(9, 6, 3, 2, 1, 1_899_999_999_500)

    stats = (await api.viewer.ask("GET", "/api/v1/links/mine/stats?from=2030-03-16&to=2030-03-17")).json

    assert stats == {
        "short_code": "mine",
        "clicks": 9,
        "humans": 6,
        "bots": 3,
        "heads": 2,
        "prefetches": 1,
        "last_click": "2030-03-17T17:46:39.500Z",
        "from": "2030-03-16",
        "to": "2030-03-17",
        "visitors": 2,
        "by_day": [
            {"day": "2030-03-16", "clicks": 1, "humans": 1, "bots": 0, "visitors": 1},
            {"day": "2030-03-17", "clicks": 1, "humans": 1, "bots": 0, "visitors": 1},
        ],
        **{f"by_{name}": [] for name in DIMENSIONS},
        "by_browser": [{"value": "Firefox", "clicks": 2}],
    }


async def test_a_link_nobody_followed_has_thirty_days_of_nothing(api: Api) -> None:
    await api.made(custom_code="mine")

    stats = (await api.viewer.ask("GET", "/api/v1/links/mine/stats")).json

    assert (stats["clicks"], stats["last_click"]) == (0, None)
    assert (stats["from"], stats["to"], len(stats["by_day"])) == ("2030-02-16", "2030-03-17", 30)


@pytest.mark.parametrize(
    ("query", "field"),
    [("from=soon", "from"), ("to=soon", "to"), ("from=2030-03-18", "from"), ("form=2030-03-17", "form")],
)
async def test_a_range_that_is_none_says_where(api: Api, query: str, field: str) -> None:
    await api.made(custom_code="mine")

    check_problem(await api.viewer.ask("GET", f"/api/v1/links/mine/stats?{query}"), 422, "invalid", field)


async def test_clicks_that_cannot_be_read_are_an_outage(api: Api) -> None:
    await api.made(custom_code="mine")
    api.clicks.down = True

    answer = await api.viewer.ask("GET", "/api/v1/links/mine/stats")

    check_problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "3"
