"""Links through the API: made, shown, changed, removed, listed."""

import pytest

from hopline.shortener.clicks.protocol import LinkTotals
from tests.shortener.api.conftest import Api, check_problem


async def test_a_link_is_made_with_everything_said_back(api: Api) -> None:
    body = {
        "url": "https://Example.com/a b",
        "custom_code": "spring/sale",
        "user_id": "u-1",
        "expires_at": "2031-01-01T01:00:00+01:00",
        "redirect_status": 307,
    }
    answer = await api.editor.ask("POST", "/api/v1/links", body)

    assert answer.status == 201
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["location"] == "/api/v1/links/spring%2Fsale"
    assert answer.json == {
        "short_code": "spring/sale",
        "short_url": "https://sho.rt/spring/sale",
        "url": "https://example.com/a%20b",
        "custom": True,
        "created_at": "2030-03-17T17:46:40.000Z",
        "updated_at": "2030-03-17T17:46:40.000Z",
        "expires_at": "2031-01-01T00:00:00.000Z",
        "user_id": "u-1",
        "redirect_status": 307,
    }


async def test_a_url_is_enough(api: Api) -> None:
    link = await api.made()

    assert len(str(link["short_code"])) == 6
    assert link["custom"] is False
    assert link["expires_at"] is link["user_id"] is None
    assert link["redirect_status"] == 302
    assert "warnings" not in link


@pytest.mark.parametrize("status", [301, 308])
async def test_a_redirect_that_hides_clicks_is_made_with_a_warning(api: Api, status: int) -> None:
    link = await api.made(redirect_status=status)

    assert link["warnings"] == [
        f"browsers remember a {status} and follow it by themselves: later clicks of the same visitor are not counted, "
        "and a change or an expiry reaches them late; 302 and 307 have neither effect"
    ]


async def test_shorten_takes_and_answers_no_more_than_its_fields(api: Api) -> None:
    body = {"url": "https://example.com/", "custom_code": "mine", "user_id": "u-1"}
    answer = await api.editor.ask("POST", "/shorten", body)

    assert answer.status == 201
    assert answer.json == {"short_code": "mine", "short_url": "https://sho.rt/mine"}
    assert api.store.links["mine"].user_id == "u-1"
    bare = await api.editor.ask("POST", "/shorten", {"url": "https://example.com/"})
    assert bare.status == 201
    more = await api.editor.ask("POST", "/shorten", {"url": "https://example.com/", "expires_at": None})
    check_problem(more, 422, "invalid", "expires_at")


@pytest.mark.parametrize("code", ["plain", "spring/sale", "caf\u00e9/menü", "bulk", "stats", "a~b.c-d_e"])
async def test_a_link_is_found_by_its_location_and_by_its_code_as_it_is(api: Api, code: str) -> None:
    made = await api.editor.ask("POST", "/api/v1/links", {"url": "https://example.com/", "custom_code": code})
    raw = code.encode().decode("latin-1")

    for path in (made.headers["location"], f"/api/v1/links/{raw}"):
        shown = await api.viewer.ask("GET", path)
        assert shown.status == 200
        assert shown.json == {**made.json, "clicks": 0}
        stats = await api.viewer.ask("GET", f"{path}/stats")
        assert stats.json["short_code"] == code
    assert (await api.editor.ask("DELETE", made.headers["location"])).status == 204
    assert code not in api.store.links


async def test_no_code_can_hide_behind_the_address_of_statistics(api: Api) -> None:
    refused = await api.editor.ask("POST", "/api/v1/links", {"url": "https://example.com/", "custom_code": "a/stats"})

    check_problem(refused, 422, "invalid", "custom_code")


async def test_a_link_is_shown_with_its_clicks_or_without_while_they_cannot_be_read(api: Api) -> None:
    link = await api.made(custom_code="mine")
    api.clicks.by_link[api.store.links["mine"].id] = LinkTotals(7, 5, 2)

    assert (await api.viewer.ask("GET", "/api/v1/links/mine")).json == {**link, "clicks": 7}
    api.clicks.down = True
    assert (await api.viewer.ask("GET", "/api/v1/links/mine")).json == {**link, "clicks": None}


async def test_a_change_leaves_what_is_missing_and_takes_away_what_is_null(api: Api) -> None:
    link = await api.made(custom_code="mine", user_id="u", expires_at="2031-01-01", redirect_status=301)
    api.clock.advance(1)

    moved = await api.editor.ask("PATCH", "/api/v1/links/mine", {"url": "https://example.com/2"})
    assert moved.status == 200
    assert moved.json == {**link, "url": "https://example.com/2", "updated_at": "2030-03-17T17:46:41.000Z"}

    nulls = {"user_id": None, "expires_at": None, "redirect_status": None}
    cleared = await api.editor.ask("PATCH", "/api/v1/links/mine", nulls)
    assert (cleared.json["user_id"], cleared.json["expires_at"], cleared.json["redirect_status"]) == (None, None, 302)
    assert cleared.json["url"] == "https://example.com/2"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"url": None}, "url"),
        ({"url": "ftp://example.com/"}, "url"),
        ({"custom_code": "other"}, "custom_code"),
        ({"short_code": "other"}, "short_code"),
        ({"expires_at": "1999-01-01"}, "expires_at"),
        ({"redirect_status": 303}, "redirect_status"),
    ],
)
async def test_a_change_that_cannot_be_made_makes_none(api: Api, changes: dict[str, object], field: str) -> None:
    link = await api.made(custom_code="mine")

    refused = await api.editor.ask("PATCH", "/api/v1/links/mine", {"user_id": "new", **changes})

    check_problem(refused, 422, "invalid", field)
    assert (await api.viewer.ask("GET", "/api/v1/links/mine")).json == {**link, "clicks": 0}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/v1/links/nobody", None),
        ("GET", "/api/v1/links/nobody/stats", None),
        ("PATCH", "/api/v1/links/nobody", {"url": "https://example.com/"}),
        ("PATCH", "/api/v1/links/nobody", {}),
        ("DELETE", "/api/v1/links/nobody", None),
        ("GET", "/api/v1/links/%ff%00", None),
        ("GET", "/api/v1/links/" + "x" * 8000, None),
    ],
)
async def test_a_code_without_a_link_is_404_of_its_own_kind(
    api: Api, method: str, path: str, body: dict[str, object] | None
) -> None:
    check_problem(await api.editor.ask(method, path, body), 404, "link-not-found")


async def test_pages_follow_each_other_without_gap_or_repeat(api: Api) -> None:
    made = [(await api.made())["short_code"] for _ in range(7)]
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await api.viewer.ask("GET", f"/api/v1/links?limit=2{cursor}")).json
        found += [link["short_code"] for link in page["links"]]
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"

    assert found == made[::-1]


async def test_a_list_is_narrowed_by_search_and_user(api: Api) -> None:
    await api.made(url="https://example.com/caf%C3%A9", user_id="u 1")
    await api.made(url="https://example.org/", user_id="u 2")
    api.clicks.by_link[1] = LinkTotals(3, 3)

    searched = (await api.viewer.ask("GET", "/api/v1/links?search=example.org")).json["links"]
    owned = (await api.viewer.ask("GET", "/api/v1/links?user_id=u%201&search=")).json["links"]

    assert [(link["url"], link["clicks"]) for link in searched] == [("https://example.org/", 0)]
    assert [(link["url"], link["clicks"]) for link in owned] == [("https://example.com/caf%C3%A9", 3)]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("limit=%D9%A3", "limit"),
        ("cursor=-1", "cursor"),
        ("cursor=99999999999999999999", "cursor"),
        ("serch=x", "serch"),
        ("search=" + "x" * 513, "search"),
    ],
)
async def test_a_list_that_is_asked_for_wrongly_says_where(api: Api, query: str, field: str) -> None:
    check_problem(await api.viewer.ask("GET", f"/api/v1/links?{query}"), 422, "invalid", field)


async def test_a_key_is_told_what_it_is(api: Api) -> None:
    me = (await api.viewer.ask("GET", "/api/v1/me")).json

    assert (me["name"], me["role"]) == ("the viewer", "viewer")
    assert me["id"] in {key.id for key in api.keys.list()}
