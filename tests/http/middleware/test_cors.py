"""Which origins' scripts may read what."""

from collections.abc import Iterator
from typing import Any

import pytest

from hopline.http import App, Response, cors
from tests.http.asking import Answer, ask
from tests.http.server import Server

APP = "https://app.example"
EVIL = "https://app.example.evil.example"


def make_app(origins: Any, **settings: Any) -> App:
    app = App()
    app.get("/")(lambda request: Response("hello", headers=[("vary", "Accept")]))
    app.use(cors(origins, **settings))
    return app


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(make_app([APP], credentials=True, headers=["X-A"], expose=["X-B", "X-C"], methods=["GET"])) as running:
        yield running


def preflight(server: Server, origin: str, **fields: str) -> Answer:
    headers = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    return ask(server, "/", headers | {k.replace("_", "-"): v for k, v in fields.items()}, method="OPTIONS")


def test_a_listed_origin_may_read(server: Server) -> None:
    headers = ask(server, "/", {"Origin": APP}).headers

    assert headers["access-control-allow-origin"] == APP
    assert headers["access-control-allow-credentials"] == "true"
    assert headers["access-control-expose-headers"] == "X-B, X-C"
    assert headers["vary"] == "Accept, origin"


@pytest.mark.parametrize(
    "origin", [EVIL, "null", "http://app.example", "https://app.example:443", "HTTPS://APP.EXAMPLE"]
)
def test_any_other_origin_may_not(server: Server, origin: str) -> None:
    answer = ask(server, "/", {"Origin": origin})

    assert answer.body == b"hello"
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert answer.headers["vary"] == "Accept, origin"
    assert preflight(server, origin).status == 403


def test_an_answer_to_no_origin_varies_too(server: Server) -> None:
    assert ask(server, "/").headers["vary"] == "Accept, origin"


def test_errors_can_be_read_too(server: Server) -> None:
    assert ask(server, "/nowhere", {"Origin": APP}).headers["access-control-allow-origin"] == APP


def test_a_preflight_is_answered_with_what_is_allowed(server: Server) -> None:
    answer = preflight(server, APP, Access_Control_Request_Headers="X-Z")

    assert answer.status == 204
    assert answer.headers["access-control-allow-methods"] == "GET"
    assert answer.headers["access-control-allow-headers"] == "X-A"
    assert answer.headers["access-control-max-age"] == "600"
    assert answer.headers["vary"] == "origin, access-control-request-method, access-control-request-headers"


def test_a_plain_options_is_the_apps_own(server: Server) -> None:
    assert ask(server, "/", {"Origin": APP}, method="OPTIONS").headers["allow"] == "GET, HEAD, OPTIONS"


def test_a_star_is_for_all_and_without_vary() -> None:
    with Server(make_app("*", headers="*")) as server:
        answer = ask(server, "/", {"Origin": EVIL})
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["vary"] == "Accept"
        asked = preflight(server, EVIL, Access_Control_Request_Headers="X-A, bad name, X-B")
        assert asked.headers["access-control-allow-headers"] == "X-A, X-B"


@pytest.mark.parametrize(
    ("origins", "settings", "message"),
    [
        ("*", {"credentials": True}, "can't go with credentials"),
        (["https://app.example/"], {}, "without a path"),
        (["https://App.example"], {}, "in lower case"),
        (["app.example"], {}, "scheme://host"),
        (["https://*.example"], {}, "scheme://host"),
        ([APP, "*"], {}, "alone"),
        ([APP], {"methods": ["GE T"]}, "'GE T' is not the name of a method"),
        ([APP], {"expose": ["X\r\nY"]}, "is not the name of a header"),
    ],
)
def test_a_policy_that_can_not_work_is_refused(origins: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("*", r"\*")):
        cors(origins, **settings)
