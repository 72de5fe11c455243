"""Who a request is from: keys in its head, sessions in its cookie, roles."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hopline.clock import ManualClock
from hopline.http import HTTPError, Request, Response
from hopline.shortener.access import SESSION_COOKIE, Access, ApiKeys, Role, SessionSigner, session_cookie
from tests.shortener.asking import make_request


class Door:
    """An Access over a real database, and its parts."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "links.db"
        self.clock = ManualClock()
        self.keys = ApiKeys(self.path, self.clock)
        self.access = Access(self.keys, SessionSigner(b"s" * 32, self.clock), self.clock)
        self.editor, self.secret = self.keys.create("deploy", "editor")

    def refusal(self, **headers: str) -> HTTPError:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with pytest.raises(HTTPError) as caught:
            self.access.authenticate(make_request("GET", "/", headers=named))
        return caught.value


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    door = Door(tmp_path)
    yield door
    door.keys.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "Bearer {}"),
        ("authorization", "bearer   {}"),
        ("X-API-Key", "{}"),
        ("x-api-key", " {} "),
    ],
)
def test_a_key_is_taken_from_either_field(door: Door, name: str, value: str) -> None:
    asked = make_request("GET", "/", headers={name: value.format(door.secret)})

    assert door.access.authenticate(asked).id == door.editor.id


def test_another_authorization_does_not_hide_the_key(door: Door) -> None:
    headers = {"authorization": "Basic dTpw", "x-api-key": door.secret}

    assert door.access.authenticate(make_request("GET", "/", headers=headers)).id == door.editor.id


def test_no_key_is_401_with_a_challenge(door: Door) -> None:
    for headers in ({}, {"authorization": "Bearer "}, {"authorization": "Basic dTpw"}, {"x_api_key": ""}):
        error = door.refusal(**headers)

        assert error.status == 401
        assert error.headers == (("www-authenticate", 'Bearer realm="hopline"'),)
        assert "send it as Authorization: Bearer" in error.detail


def test_a_wrong_key_is_401_and_says_so_to_the_client_library(door: Door) -> None:
    error = door.refusal(authorization="Bearer hop_" + "x" * 43)

    assert error.status == 401
    assert error.headers == (("www-authenticate", 'Bearer realm="hopline", error="invalid_token"'),)


def test_two_keys_at_once_are_none(door: Door) -> None:
    assert door.refusal(x_api_key=f"{door.secret}, {door.secret}").status == 401


def test_keys_that_cannot_be_read_are_an_outage_not_a_refusal(door: Door) -> None:
    door.keys.close()
    door.path.unlink()

    error = door.refusal(x_api_key=door.secret)

    assert error.status == 503
    assert error.headers == (("retry-after", "1"),)
    assert str(door.path) not in error.detail


def test_a_role_lets_pass_who_has_it_or_more(door: Door) -> None:
    def handler(request: Request) -> Response:
        return Response(request.state["key"].name)

    asked = make_request("GET", "/", headers={"x-api-key": door.secret})

    for role in (Role.VIEWER, Role.EDITOR):
        answer = door.access.require(role)(handler)(asked)
        assert isinstance(answer, Response)
        assert answer.body == b"deploy"
    with pytest.raises(HTTPError) as caught:
        door.access.require(Role.ADMIN)(handler)(asked)
    assert caught.value.status == 403
    assert caught.value.detail == "this needs a key with the role 'admin'; 'deploy' has 'editor'"


def test_whoever_signs_in_is_known_by_their_cookie(door: Door) -> None:
    session = door.access.sign_in(door.secret, "192.0.2.1")
    assert session is not None

    again = door.access.session(make_request("GET", "/", headers={"cookie": f"a=b; {SESSION_COOKIE}={session.token}"}))

    assert again is not None
    assert (again.key.id, again.token, again.form_token) == (door.editor.id, session.token, session.form_token)
    assert door.access.signer.is_ours(again.nonce, session.form_token)


def test_two_sessions_of_one_key_cannot_send_each_others_forms(door: Door) -> None:
    one, other = (door.access.sign_in(door.secret, "192.0.2.1") for _ in range(2))
    assert one is not None
    assert other is not None

    assert not door.access.signer.is_ours(one.nonce, other.form_token)


def test_a_revoked_key_ends_its_sessions_at_once(door: Door) -> None:
    session = door.access.sign_in(door.secret, "192.0.2.1")
    assert session is not None
    asked = make_request("GET", "/", headers={"cookie": f"{SESSION_COOKIE}={session.token}"})

    door.keys.revoke(door.editor.id)

    assert door.access.session(asked) is None
    assert door.access.sign_in(door.secret, "192.0.2.1") is None


def test_a_session_is_no_key_for_the_api(door: Door) -> None:
    session = door.access.sign_in(door.secret, "192.0.2.1")
    assert session is not None

    assert door.refusal(cookie=f"{SESSION_COOKIE}={session.token}").status == 401
    assert door.refusal(x_api_key=session.token).status == 401


def test_a_request_without_a_session_has_none(door: Door) -> None:
    for cookie in ("", "a=b", f"{SESSION_COOKIE}=", f"{SESSION_COOKIE}=made.up.by.hand"):
        assert door.access.session(make_request("GET", "/", headers={"cookie": cookie})) is None


def test_too_many_wrong_keys_are_told_to_wait(door: Door) -> None:
    for _ in range(10):
        assert door.access.sign_in("wrong", "192.0.2.1") is None

    with pytest.raises(HTTPError) as caught:
        door.access.sign_in(door.secret, "192.0.2.1")

    assert caught.value.status == 429
    assert caught.value.headers == (("retry-after", "60"),)
    assert door.access.sign_in(door.secret, "192.0.2.2") is not None
    door.clock.advance(60)
    assert door.access.sign_in(door.secret, "192.0.2.1") is not None


def test_signing_in_rightly_is_never_counted(door: Door) -> None:
    for _ in range(30):
        assert door.access.sign_in(door.secret, "192.0.2.1") is not None


def test_a_session_cannot_be_checked_in_an_outage(door: Door) -> None:
    session = door.access.sign_in(door.secret, "192.0.2.1")
    assert session is not None
    asked = make_request("GET", "/", headers={"cookie": f"{SESSION_COOKIE}={session.token}"})

    door.keys.close()
    door.path.unlink()
    with pytest.raises(HTTPError) as caught:
        door.access.session(asked)

    assert caught.value.status == 503


def test_the_cookie_is_for_our_pages_only_and_can_be_taken_back() -> None:
    kept = session_cookie("token", secure=True)

    assert kept == f"{SESSION_COOKIE}=token; Max-Age=604800; Path=/dashboard; HttpOnly; SameSite=Lax; Secure"
    assert "Secure" not in session_cookie("token", secure=False)
    assert session_cookie("", secure=False).startswith(f"{SESSION_COOKIE}=; Max-Age=0; ")
