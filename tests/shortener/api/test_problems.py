"""Refusals: which status, which type, which field, and that nothing inside leaks."""

import pytest

from tests.shortener.api.conftest import Api, check_problem

URL = "https://example.com/"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "the body is empty"),
        (b" \r\n", "the body is empty"),
        (b"{", "not valid JSON: input data was truncated"),
        (b"url=https://example.com/", "not valid JSON: invalid character"),
        (b'\xef\xbb\xbf{"url": "https://example.com/"}', "not valid JSON: invalid character"),
        (b"[]", "must be a JSON object"),
        (b'"https://example.com/"', "must be a JSON object"),
        (b"null", "must be a JSON object"),
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/links", "/shorten", "/api/v1/links/bulk"])
async def test_a_body_that_cannot_be_read_is_400(api: Api, path: str, body: bytes, says: str) -> None:
    assert says in check_problem(await api.editor.ask("POST", path, raw=body), 400, "malformed")


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/api/v1/links", b'{"url": "\xff"}', "not valid JSON: 'utf-8' codec can't decode"),
        ("/api/v1/links", b'{"url": "\\ud800 is half a character"}', "unexpected end of escaped utf-16 surrogate pair"),
        ("/api/v1/links/bulk", b'{"links": [' + b"[" * 500_000, "nested too deep"),
    ],
)
async def test_text_that_is_none_and_a_tower_of_brackets_are_400(api: Api, path: str, body: bytes, says: str) -> None:
    assert says in check_problem(await api.editor.ask("POST", path, raw=body), 400, "malformed")


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({}, "url", "this field is required"),
        ({"url": None}, "url", "expected string, got null"),
        ({"url": 5}, "url", "expected string, got integer"),
        ({"url": ["https://example.com/"]}, "url", "expected string, got array"),
        ({"url": URL, "redirect_status": "302"}, "redirect_status", "expected integer | null, got string"),
        ({"url": URL, "redirect_status": 302.5}, "redirect_status", "expected integer | null, got float"),
        ({"url": URL, "redirect_status": 10**30}, "redirect_status", "choose one of 301, 302, 307, 308"),
        ({"url": URL, "expires_at": 1_924_992_000}, "expires_at", "expected string | null, got integer"),
        ({"url": URL, "expire_at": "x"}, "expire_at", "no field 'expire_at' here; did you mean 'expires_at'?"),
        ({"url": URL, "zzz": 1}, "zzz", "there are url, custom_code, user_id, expires_at, redirect_status"),
        ({"url": URL, "a`b": 1}, "a`b", "no field 'a`b' here"),
        ({"url": URL, "x" * 5000: 1}, "x" * 64, "no field 'xxx"),
        ({"url": "javascript:alert(1)"}, "url", "only http and https"),
        ({"url": "https://example.com/\r\nx: y"}, "url", "control characters"),
        ({"url": URL, "custom_code": "api"}, "custom_code", "belongs to the service"),
        ({"url": URL, "user_id": "a\0b"}, "user_id", "no control characters"),
        ({"url": URL, "expires_at": "2000-01-01"}, "expires_at", "is past"),
    ],
)
async def test_a_value_that_cannot_be_accepted_is_422_at_its_field(
    api: Api, body: dict[str, object], field: str, says: str
) -> None:
    answer = await api.editor.ask("POST", "/api/v1/links", body)

    assert says in check_problem(answer, 422, "invalid", field)
    assert not api.store.links


@pytest.mark.parametrize("path", ["/api/v1/links", "/shorten"])
async def test_a_taken_code_is_409_at_its_field(api: Api, path: str) -> None:
    await api.made(custom_code="mine")

    answer = await api.editor.ask("POST", path, {"url": URL, "custom_code": "mine"})

    assert "'mine' belongs to another link" in check_problem(answer, 409, "code-taken", "custom_code")


@pytest.mark.parametrize(
    ("media", "status"),
    [
        ("application/json", 201),
        ("Application/JSON; charset=utf-8", 201),
        ("application/vnd.api+json", 201),
        ("application/x-www-form-urlencoded", 201),  # curl -d
        ("text/plain", 415),
        ("", 415),
    ],
)
async def test_a_body_of_another_type_is_415(api: Api, media: str, status: int) -> None:
    answer = await api.editor.ask("POST", "/api/v1/links", {"url": URL}, headers={"content-type": media})

    assert answer.status == status
    if status == 415:
        assert "content-type: application/json" in check_problem(answer, 415, "unsupported-media-type")


async def test_a_form_is_415(api: Api) -> None:
    media = {"content-type": "application/x-www-form-urlencoded"}
    answer = await api.editor.ask("POST", "/api/v1/links", raw=b"url=https://example.com/", headers=media)

    check_problem(answer, 415, "unsupported-media-type")


async def test_without_a_key_everything_is_401_before_anything_is_read(api: Api) -> None:
    for method, path in (
        ("POST", "/api/v1/links"),
        ("POST", "/api/v1/links/bulk"),
        ("POST", "/shorten"),
        ("GET", "/api/v1/links"),
        ("GET", "/api/v1/links/nobody"),
        ("PATCH", "/api/v1/links/nobody"),
        ("DELETE", "/api/v1/links/nobody"),
        ("GET", "/api/v1/links/nobody/stats"),
        ("GET", "/api/v1/me"),
    ):
        answer = await api.stranger.ask(method, path, raw=b"{")
        check_problem(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_viewer_may_look_but_not_touch(api: Api) -> None:
    await api.made(custom_code="mine")

    for path in ("/api/v1/links", "/api/v1/links/mine", "/api/v1/links/mine/stats", "/api/v1/me"):
        assert (await api.viewer.ask("GET", path)).status == 200
        assert (await api.viewer.ask("HEAD", path)).status == 200
    for method, path in (
        ("POST", "/api/v1/links"),
        ("POST", "/api/v1/links/bulk"),
        ("POST", "/shorten"),
        ("PATCH", "/api/v1/links/mine"),
        ("DELETE", "/api/v1/links/mine"),
    ):
        answer = await api.viewer.ask(method, path, {"url": URL})
        assert "'the viewer' has 'viewer'" in check_problem(answer, 403, "forbidden")
    assert list(api.store.links) == ["mine"]


async def test_an_outage_is_503_with_a_time_and_without_paths(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    await api.made(custom_code="mine")
    api.store.down = True

    for method, path, body in (
        ("POST", "/api/v1/links", {"url": URL}),
        ("POST", "/shorten", {"url": URL}),
        ("GET", "/api/v1/links", None),
        ("GET", "/api/v1/links/mine", None),
        ("PATCH", "/api/v1/links/mine", {"user_id": "u"}),
        ("DELETE", "/api/v1/links/mine", None),
    ):
        answer = await api.editor.ask(method, path, body)
        assert "links.db" not in check_problem(answer, 503, "unavailable")
        assert answer.headers["retry-after"] == "3"
    assert "POST /api/v1/links answered 503: '/data/links.db' is locked" in caplog.text


async def test_a_fault_of_ours_is_500_and_tells_nothing(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    api.store.links = None  # type: ignore[assignment]

    answer = await api.editor.ask("GET", "/api/v1/links/mine")

    assert check_problem(answer, 500, "internal-error") == "something went wrong here; the server's log says what"
    assert "NoneType" in caplog.text


async def test_what_is_not_there_is_a_problem_too(api: Api) -> None:
    check_problem(await api.editor.ask("GET", "/api/v1/nothing"), 404, "not-found")
    check_problem(await api.editor.ask("GET", "/api/"), 404, "not-found")
    put = await api.editor.ask("PUT", "/api/v1/links/mine", {"url": URL})
    check_problem(put, 405, "method-not-allowed")
    assert put.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH"
    check_problem(await api.editor.ask("GET", "/shorten"), 405, "method-not-allowed")


async def test_a_short_code_that_begins_like_shorten_is_a_page_for_visitors(api: Api) -> None:
    answer = await api.stranger.ask("GET", "/shortening", headers={"accept": "text/html"})

    assert answer.status == 404
    assert answer.headers["content-type"].startswith("text/html")
