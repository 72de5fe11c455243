"""Many links in one request: one answer each, and a bad one spoils only itself."""

from tests.shortener.api.conftest import Api, check_problem


async def test_each_row_is_answered_in_order(api: Api) -> None:
    await api.made(custom_code="taken")
    rows = [
        {"url": "https://example.com/1", "user_id": "u"},
        {"url": "https://example.com/2", "custom_code": "taken"},
        {"url": "javascript:alert(1)"},
        {"url": "https://example.com/3", "expire_at": "2031-01-01"},
        {"url": 5},
        {},
        "https://example.com/4",
        None,
        {"url": "https://example.com/5", "custom_code": "fifth"},
    ]

    answer = await api.editor.ask("POST", "/api/v1/links/bulk", {"links": rows})

    assert answer.status == 200
    results = answer.json["results"]
    assert (answer.json["created"], answer.json["refused"]) == (2, 7)
    assert [result["status"] for result in results] == [201, 409, 422, 422, 422, 422, 422, 422, 201]
    assert [result.get("error", {}).get("field") for result in results] == [
        None,
        "custom_code",
        "url",
        "expire_at",
        "url",
        "url",
        None,
        None,
        None,
    ]
    assert results[0]["link"]["user_id"] == "u"
    assert results[-1]["link"]["short_code"] == "fifth"
    assert results[1]["error"]["type"] == "urn:hopline:problem:code-taken"
    assert api.store.transactions == 2


async def test_a_thousand_links_are_the_most(api: Api) -> None:
    rows = [{"url": f"https://example.com/{n}"} for n in range(1001)]

    refused = await api.editor.ask("POST", "/api/v1/links/bulk", {"links": rows})
    made = await api.editor.ask("POST", "/api/v1/links/bulk", {"links": rows[:1000]})

    assert "these are 1001 links; send at most 1000" in check_problem(refused, 422, "invalid", "links")
    assert made.json["created"] == 1000
    assert len({result["link"]["short_code"] for result in made.json["results"]}) == 1000


async def test_no_links_are_no_error(api: Api) -> None:
    answer = await api.editor.ask("POST", "/api/v1/links/bulk", {"links": []})

    assert answer.json == {"results": [], "created": 0, "refused": 0}


async def test_a_row_that_is_not_text_spoils_only_itself(api: Api) -> None:
    body = b'{"links": [{"url": "https://example.com/\xff"}, {"url": "https://example.com/"}]}'

    answer = await api.editor.ask("POST", "/api/v1/links/bulk", raw=body)

    assert [result["status"] for result in answer.json["results"]] == [422, 201]


async def test_an_outage_makes_none_of_them(api: Api) -> None:
    api.store.down = True
    rows = [{"url": "https://example.com/1"}, {"url": "nonsense"}]

    answer = await api.editor.ask("POST", "/api/v1/links/bulk", {"links": rows})

    check_problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "3"
