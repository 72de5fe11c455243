"""Signing in with an API key, staying signed in, and what a session can't be tricked into."""

import json
import re

import pytest

from tests.shortener.dashboard.conftest import Server
from tests.shortener.dashboard.visitor import PageVisitor


def test_a_stranger_is_asked_for_a_key_and_then_brought_where_they_were_going(
    server: Server, stranger: PageVisitor
) -> None:
    asked = stranger.get("/dashboard?q=caf%C3%A9&before=7")

    assert asked.url.path == "/dashboard/sign-in"
    form = asked.form("/dashboard/sign-in")
    arrived = stranger.post("/dashboard/sign-in", {**form.fields, "key": server.admin_key})
    assert arrived.url.raw_path == b"/dashboard?q=caf%C3%A9&before=7"
    assert "Sign out" in arrived.text


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/dashboard",
        "/dashboard\\@evil.example",
        "/dashboard-evil",
        "javascript:alert(1)",
        "/dashboard\r\nset-cookie: a=b",
    ],
)
def test_nobody_is_brought_anywhere_but_to_the_dashboard(server: Server, stranger: PageVisitor, target: str) -> None:
    arrived = stranger.fill("/dashboard/sign-in", "/dashboard/sign-in", key=server.admin_key, next=target)

    assert str(arrived.url) == f"{server.url}/dashboard"


@pytest.mark.parametrize("key", ["hop_" + "b" * 43, "x", "ключ", "a" * 5000])
def test_a_wrong_key_is_refused_in_words(stranger: PageVisitor, key: str) -> None:
    refused = stranger.sign_in(key)

    assert refused.status == 401
    assert "No such key; it may have been revoked." in refused.text
    assert key not in refused.text or len(key) == 1
    assert stranger.get("/dashboard").url.path == "/dashboard/sign-in"


def test_an_empty_key_is_asked_for_again(stranger: PageVisitor) -> None:
    refused = stranger.sign_in("  ")

    assert refused.status == 401
    assert "Enter an API key." in refused.text


def test_a_sign_in_that_another_site_prepared_is_refused(server: Server, stranger: PageVisitor) -> None:
    refused = stranger.post("/dashboard/sign-in", {"key": server.admin_key})

    assert refused.status == 403
    assert stranger.get("/dashboard").url.path == "/dashboard/sign-in"


def test_signing_out_ends_the_session(admin: PageVisitor) -> None:
    left = admin.fill("/dashboard", "/dashboard/sign-out")

    assert left.url.path == "/dashboard/sign-in"
    assert admin.get("/dashboard").url.path == "/dashboard/sign-in"


def test_signing_out_needs_a_token(admin: PageVisitor) -> None:
    assert admin.post("/dashboard/sign-out", {"csrf": "x"}).status == 403
    assert admin.get("/dashboard").url.path == "/dashboard"


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(server: Server, stranger: PageVisitor) -> None:
    form = stranger.get("/dashboard/sign-in").form("/dashboard/sign-in")
    answer = stranger.client.post(
        "/dashboard/sign-in", data={**form.fields, "key": server.admin_key}, follow_redirects=False
    )

    cookies = answer.headers.get_list("set-cookie")
    assert cookies
    for cookie in cookies:
        assert "httponly" in cookie.lower()
        assert re.search("samesite=(lax|strict)", cookie.lower())
        assert server.admin_key not in cookie


def test_a_session_that_was_tampered_with_is_no_session(admin: PageVisitor) -> None:
    (token,) = [cookie.value or "" for cookie in admin.client.cookies.jar if cookie.name == "hopline_session"]
    admin.client.cookies.clear()
    for at in (0, len(token) // 2, len(token) - 2):
        forged = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        admin.client.headers["cookie"] = f"hopline_session={forged}"
        assert admin.get("/dashboard").url.path == "/dashboard/sign-in"
    admin.client.headers["cookie"] = f"hopline_session={token}"
    assert admin.get("/dashboard").url.path == "/dashboard"


def test_a_session_ends_when_its_key_is_revoked(server: Server, stranger: PageVisitor) -> None:
    stranger.sign_in(server.make_key("editor"))
    assert stranger.get("/dashboard").url.path == "/dashboard"
    listed = json.loads(server.hopline("keys", "list", "--json", "--data-dir", str(server.data_dir)))
    key_id = [key["id"] for key in listed if key["name"] == "a editor"][-1]

    server.hopline("keys", "revoke", key_id, "--data-dir", str(server.data_dir))

    assert stranger.get("/dashboard").url.path == "/dashboard/sign-in"
