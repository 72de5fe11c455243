"""Guards: who comes in, and what the others read."""

import asyncio
from base64 import b64encode

import pytest

from hopline.http import App, Middleware, Request, Response, basic_auth, bearer_auth
from tests.http.asking import Answer, ask
from tests.http.server import Server


def get(guard: Middleware, authorization: str | None) -> Answer:
    app = App()
    app.get("/")(lambda request: Response(request.state["user"]))
    app.use(guard)
    with Server(app) as server:
        return ask(server, "/", {} if authorization is None else {"Authorization": authorization})


def basic(text: str) -> str:
    return "Basic " + b64encode(text.encode()).decode()


BAD_BASIC = [None, "", "Basic", "Basic !!", "Basic " + b64encode(b"\xff:x").decode(), basic("anna"), "Bearer secret"]


@pytest.mark.parametrize("sent", [*BAD_BASIC, basic("anna:wrong"), basic("anna:"), basic("bob:geheimü:1")])
def test_basic_asks_who_has_no_right_credentials(sent: str | None) -> None:
    answer = get(basic_auth({"anna": "geheimü:1"}, realm='a "b"'), sent)

    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Basic realm="a \\"b\\"", charset="UTF-8"'


@pytest.mark.parametrize("sent", [basic("anna:geheimü:1"), basic("anna:geheimü:1").replace("Basic", "bASIC")])
def test_basic_lets_in_who_knows_the_password(sent: str) -> None:
    assert get(basic_auth({"anna": "geheimü:1"}), sent).body == b"anna"


def test_basic_asks_a_function_plain_or_async() -> None:
    async def later(name: str, password: str) -> str | None:
        await asyncio.sleep(0)
        return name.upper() if password == "p" else None

    assert get(basic_auth(lambda name, password: name if password == "p" else None), basic("a:p")).body == b"a"
    assert get(basic_auth(later), basic("a:p")).body == b"A"
    assert get(basic_auth(later), basic("a:q")).status == 401


@pytest.mark.parametrize("sent", [None, "Bearer", "Bearer ", "Bearer wrong", "Basic one", "Bearer one two", "one"])
def test_bearer_asks_who_has_no_valid_token(sent: str | None) -> None:
    answer = get(bearer_auth(["one", "two"]), sent)

    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="restricted"'


def test_bearer_says_whose_the_token_is() -> None:
    assert get(bearer_auth({"one": "anna", "two": "bob"}), "bearer two").body == b"bob"
    assert get(bearer_auth(lambda token: token[::-1]), "Bearer abc").body == b"cba"


def test_two_credentials_are_none() -> None:
    app = App()

    @app.get("/")
    @bearer_auth(["one"])
    def guarded(request: Request) -> Response:
        return Response(request.state["user"])

    with Server(app) as server:
        line = b"Authorization: Bearer one\r\n"
        request = b"GET / HTTP/1.1\r\nHost: h\r\n%s\r\n"
        assert server.talk(request % line).startswith(b"HTTP/1.1 200")
        assert server.talk(request % (line * 2)).startswith(b"HTTP/1.1 401")


def test_settings_that_would_let_everybody_in_are_refused() -> None:
    with pytest.raises(TypeError, match="not one text"):
        bearer_auth("secret")
    with pytest.raises(ValueError, match="empty token"):
        bearer_auth([""])
    with pytest.raises(ValueError, match="printable ASCII"):
        bearer_auth(["one"], realm="a\r\nb")
