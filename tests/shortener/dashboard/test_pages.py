"""The pages, over HTTP as a browser without JavaScript sees them."""

import re

import httpx
import pytest

from tests.shortener.dashboard.conftest import Server
from tests.shortener.dashboard.visitor import PageVisitor

POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "script-src": "'self'",
    "img-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}


def test_a_created_link_is_shown_with_its_qr_code_and_leads_to_its_address(server: Server, admin: PageVisitor) -> None:
    made = admin.create("https://example.com/created?a=1&b=2", custom_code="made-here")

    assert made.status == 200
    assert made.url.query == b"created=made-here"
    assert "Your link is ready" in made.text
    assert 'src="/dashboard/qr/svg/made-here"' in made.html
    assert "https://example.com/created?a=1&amp;b=2" in made.html
    followed = httpx.get(f"{server.url}/made-here", trust_env=False)
    assert (followed.status_code, followed.headers["location"]) == (302, "https://example.com/created?a=1&b=2")


def test_a_reload_after_creating_creates_nothing(admin: PageVisitor) -> None:
    made = admin.create("https://example.com/reloaded-once")
    admin.get(made.url.raw_path.decode())

    assert admin.get("/dashboard?q=reloaded-once").html.count("<li>") == 1


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"url": "javascript:alert(1)"}, "url"),
        ({"url": ""}, "url"),
        ({"url": "https://example.com/", "custom_code": "api"}, "custom_code"),
        ({"url": "https://example.com/", "custom_code": "no spaces"}, "custom_code"),
        ({"url": "https://example.com/", "expires_at": "soon"}, "expires_at"),
        ({"url": "https://example.com/", "redirect_status": "200"}, "redirect_status"),
    ],
)
def test_what_is_refused_comes_back_as_typed_with_the_reason_at_its_field(
    admin: PageVisitor, typed: dict[str, str], field: str
) -> None:
    refused = admin.create(**typed)

    assert refused.status == 422
    assert re.search(rf'<p class="error" id="{field}-error">\S.*\.</p>', refused.html)
    assert re.search(rf'id="{field}"[^>]*aria-invalid="true"', refused.html)
    fields = refused.form("/dashboard").fields
    assert fields["url"] == typed["url"]
    assert fields["custom_code"] == typed.get("custom_code", "")
    assert fields["expires_at"] == typed.get("expires_at", "")


def test_a_taken_code_is_refused_at_its_field(admin: PageVisitor) -> None:
    admin.create("https://example.com/first", custom_code="taken")

    refused = admin.create("https://example.com/second", custom_code="taken")

    assert refused.status == 409
    assert "This code belongs to another link; choose another one." in refused.text
    assert refused.form("/dashboard").fields["custom_code"] == "taken"


def test_what_people_type_is_never_markup(admin: PageVisitor) -> None:
    refused = admin.create("<script>alert(1)</script>")
    found = admin.get("/dashboard?q=%3Cscript%3Ealert(1)%3C/script%3E&deleted=%3Cb%3E")

    assert "<script>alert" not in refused.html + found.html
    assert "<b>" not in found.html


def test_a_link_is_edited(server: Server, admin: PageVisitor) -> None:
    admin.create("https://example.com/before", custom_code="edited")
    page = "/dashboard/links/edited"

    changes = {"url": "https://example.com/after", "expires_at": "2090-01-31T10:00", "redirect_status": "307"}
    saved = admin.fill(page, page, **changes)

    assert saved.url.raw_path == b"/dashboard/links/edited?saved=1"
    assert 'datetime="2090-01-31T10:00:00Z"' in saved.html
    followed = httpx.get(f"{server.url}/edited", trust_env=False)
    assert (followed.status_code, followed.headers["location"]) == (307, "https://example.com/after")
    fields = saved.form(page).fields
    assert (fields["expires_at"], fields["redirect_status"]) == ("2090-01-31T10:00", "307")


def test_an_edit_that_is_refused_keeps_what_was_typed_and_changes_nothing(server: Server, admin: PageVisitor) -> None:
    admin.create("https://example.com/stays", custom_code="stays")
    page = "/dashboard/links/stays"

    refused = admin.fill(page, page, url="ftp://example.com/")

    assert refused.status == 422
    assert refused.form(page).fields["url"] == "ftp://example.com/"
    assert 'id="url-error"' in refused.html
    assert httpx.get(f"{server.url}/stays", trust_env=False).headers["location"] == "https://example.com/stays"


def test_deleting_asks_first_and_then_deletes(server: Server, admin: PageVisitor) -> None:
    admin.create("https://example.com/doomed", custom_code="doomed")
    asked = admin.get("/dashboard/delete/doomed")
    assert "https://example.com/doomed" in asked.text
    assert httpx.get(f"{server.url}/doomed", trust_env=False).status_code == 302

    gone = admin.fill("/dashboard/delete/doomed", "/dashboard/delete/doomed")

    assert gone.url.path == "/dashboard"
    assert "Deleted" in gone.text
    assert httpx.get(f"{server.url}/doomed", trust_env=False).status_code == 404
    assert admin.get("/dashboard/links/doomed").status == 404


def test_a_code_of_any_script_with_slashes_has_all_its_pages(server: Server, admin: PageVisitor) -> None:
    made = admin.create("https://example.com/menu", custom_code="café/menü")
    path = "caf%C3%A9/men%C3%BC"

    assert f"/dashboard/links/{path}" in made.html
    assert "café/menü" in admin.get(f"/dashboard/links/{path}").text
    assert admin.get(f"/dashboard/qr/png/{path}").headers["content-type"] == "image/png"
    saved = admin.fill(f"/dashboard/links/{path}", f"/dashboard/links/{path}", url="https://example.com/menu2")
    assert saved.status == 200
    assert admin.fill(f"/dashboard/delete/{path}", f"/dashboard/delete/{path}").status == 200
    assert httpx.get(f"{server.url}/{path}", trust_env=False).status_code == 404


def test_the_list_is_searched_and_paged_newest_first(server: Server, admin: PageVisitor) -> None:
    for index in range(27):
        headers = {"authorization": f"Bearer {server.admin_key}"}
        body = {"url": f"https://example.com/paged/{index}"}
        made = httpx.post(f"{server.url}/api/v1/links", json=body, headers=headers, trust_env=False)
        assert made.status_code == 201

    first = admin.get("/dashboard?q=/paged/")
    older = re.search(r'href="([^"]*)">Older', first.text)

    assert older is not None
    second = admin.get(older[1])
    numbers = [int(number) for number in re.findall(r"/paged/(\d+)</p>", first.html + second.html)]
    assert numbers == list(range(26, -1, -1))
    assert "Newest" in second.text
    assert "Older" not in second.text


def test_a_search_without_result_says_so_and_leads_back(admin: PageVisitor) -> None:
    found = admin.get("/dashboard?q=nothing-has-this-in-it")

    assert "No link has “nothing-has-this-in-it” in its code or address." in found.text
    assert "Show all links" in found.text


def test_a_viewer_looks_but_changes_nothing(server: Server, admin: PageVisitor, viewer: PageVisitor) -> None:
    admin.create("https://example.com/looked-at", custom_code="looked-at")
    token = viewer.get("/dashboard").form("/dashboard/sign-out").fields["csrf"]

    page = viewer.get("/dashboard/links/looked-at")

    assert "https://example.com/looked-at" in page.text
    assert "Delete…" not in page.text
    assert "Shorten a link" not in viewer.get("/dashboard").text
    fields = {"csrf": token, "url": "https://example.com/changed", "redirect_status": "302"}
    assert viewer.post("/dashboard", fields).status == 403
    assert viewer.post("/dashboard/links/looked-at", fields).status == 403
    assert viewer.get("/dashboard/delete/looked-at").status == 403
    assert viewer.post("/dashboard/delete/looked-at", fields).status == 403
    location = httpx.get(f"{server.url}/looked-at", trust_env=False).headers["location"]
    assert location == "https://example.com/looked-at"


@pytest.mark.parametrize("token", [None, "", "forged"])
def test_a_form_without_our_token_changes_nothing(admin: PageVisitor, token: str | None) -> None:
    fields = {"url": "https://example.com/forged-form", "redirect_status": "302"}
    if token is not None:
        fields["csrf"] = token

    assert admin.post("/dashboard", fields).status == 403
    assert "No link has" in admin.get("/dashboard?q=forged-form").text


def test_a_token_is_good_only_for_the_session_it_was_made_for(
    server: Server, admin: PageVisitor, stranger: PageVisitor
) -> None:
    stranger.sign_in(server.make_key("editor"))
    theirs = stranger.get("/dashboard").form("/dashboard").fields["csrf"]

    fields = {"csrf": theirs, "url": "https://example.com/", "redirect_status": "302"}

    assert admin.post("/dashboard", fields).status == 403


@pytest.mark.parametrize(
    "path",
    [
        "/dashboard",
        "/dashboard/links/headed",
        "/dashboard/delete/headed",
        "/dashboard/qr/svg/headed",
        "/dashboard/qr/png/headed",
        "/dashboard/sign-in",
        "/dashboard/links/there-is-none",
        "/dashboard/there-is-none",
        "/dashboard/static/there-is-none.css",
    ],
)
def test_every_page_is_fenced_in(admin: PageVisitor, path: str) -> None:
    admin.create("https://example.com/headed", custom_code="headed")

    headers = admin.get(path).headers

    rules = dict(rule.strip().split(" ", 1) for rule in headers["content-security-policy"].split(";"))
    assert rules == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"


def test_static_files_are_kept_for_a_year_under_the_hash_of_their_content(stranger: PageVisitor) -> None:
    page = stranger.get("/dashboard/sign-in")

    addresses = re.findall(r'"(/dashboard/static/[^"]+)"', page.html)
    kinds = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
    assert {address.rsplit(".", 1)[1] for address in addresses} == set(kinds)
    for address in addresses:
        name, digest, suffix = address.rsplit("/", 1)[1].split(".")
        file = stranger.get(address)
        assert file.status == 200
        assert file.headers["content-type"] == kinds[suffix]
        assert file.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert stranger.get(f"/dashboard/static/{name}.{'0' * len(digest)}.{suffix}").status == 404
        assert stranger.get(f"/dashboard/static/{name}.{suffix}").status == 404


def test_qr_codes_are_for_those_who_signed_in(stranger: PageVisitor, admin: PageVisitor) -> None:
    admin.create("https://example.com/", custom_code="qr-code")

    image = admin.get("/dashboard/qr/png/qr-code")

    assert image.content.startswith(b"\x89PNG")
    assert image.headers["content-disposition"] == 'attachment; filename="qr-qr-code.png"'
    assert admin.get("/dashboard/qr/svg/qr-code").content.startswith(b"<?xml")
    assert stranger.get("/dashboard/qr/png/qr-code").url.path == "/dashboard/sign-in"
    assert admin.get("/dashboard/qr/png/there-is-none").status == 404


@pytest.mark.parametrize("days", ["7", "30", "90", "365", "12", "x"])
def test_clicks_are_shown_for_the_range_asked_for(admin: PageVisitor, days: str) -> None:
    admin.create("https://example.com/", custom_code="ranged")

    page = admin.get(f"/dashboard/links/ranged?days={days}")

    current = days if days in {"7", "30", "90", "365"} else "30"
    assert re.search(rf'\?days={current}" aria-current="page"', page.html)
    bars = page.html.count("chart-hover")
    assert bars in (53, 54) if current == "365" else bars == int(current)
    assert "No clicks yet." in page.text


def test_an_expired_link_says_so(admin: PageVisitor) -> None:
    admin.create("https://example.com/", custom_code="lasting", expires_at="2090-01-01T00:00")

    page = admin.get("/dashboard/links/lasting")

    assert '<span class="tag tag-off">expired</span>' not in page.html
    assert "Expires" in page.text
