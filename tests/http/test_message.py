"""What handlers see of a request, and what leaves as an answer."""

import pytest

from hopline.http import ConnectionInfo, Head, HTTPError, InvalidResponse, Request, Response
from hopline.http.answer import encode
from hopline.http.connection import HEAD, Connection
from hopline.http.protocol import Limits


def request(raw: bytes) -> Request:
    connection = Connection(Limits(), ConnectionInfo(("192.0.2.1", 5)))
    connection.receive(raw)
    while connection.next() == HEAD:
        pass
    return Request(connection.head, connection.body)


def sent(response: Response, *, head_only: bool = False, keep_alive: bool = True, http_1_0: bool = False) -> bytes:
    return encode(response, b"date: D\r\n", head_only=head_only, keep_alive=keep_alive, http_1_0=http_1_0)


def test_fields_are_found_whatever_their_case() -> None:
    made = request(b"GET /a%20b?x=1&y=%C3%A9&x=2 HTTP/1.1\r\nHOST: h\r\nAccept:  a \r\naccept: b\r\nX-Empty:\r\n\r\n")

    assert made.headers["Accept"] == "a, b"
    assert made.headers.getall("ACCEPT") == ["a", "b"]
    assert made.headers["x-empty"] == ""
    assert "cookie" not in made.headers
    assert (made.path, made.query) == ("/a b", {"x": "2", "y": "\u00e9"})
    assert made.peer == ("192.0.2.1", 5)


def test_cookies_are_read_first_wins() -> None:
    made = request(b'GET / HTTP/1.1\r\nHost: h\r\nCookie: a=1; b="2"; a=3; junk\r\nCookie: c=4\r\n\r\n')

    assert made.cookies == {"a": "1", "b": "2", "c": "4"}


def test_a_head_field_is_found_as_bytes() -> None:
    head = Head(ConnectionInfo())
    head.raw = b"GET / HTTP/1.1\r\nHost: h\r\nUser-Agent:  Me \r\nX: user-agent: no\r\n\r\n"
    head.lowered = head.raw.lower()

    assert head.get(b"\r\nuser-agent:") == b"Me"
    assert head.get(b"\r\nreferer:") == b""


def test_bodies_are_decoded_or_refused_in_words() -> None:
    form = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\r\n"
    json = request(b'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\n{"a":1}')
    broken = request(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n{a:1")

    assert json.json() == {"a": 1}
    assert request(form + b"Content-Length: 9\r\n\r\na=1+2&b=3").form() == {"a": "1 2", "b": "3"}
    with pytest.raises(HTTPError) as not_json:
        broken.json()
    with pytest.raises(HTTPError) as not_form:
        broken.form()
    assert (not_json.value.status, not_form.value.status) == (400, 415)


@pytest.mark.parametrize(
    ("name", "value"),
    [("x", "a\r\nb"), ("x", "a\nb"), ("x", "a\0b"), ("x\r\ny", "a"), ("x y", "a"), ("", "a"), ("x", "\u20ac"),
     ("Content-Length", "3"), ("transfer-encoding", "chunked")],
)  # fmt: skip
def test_no_header_can_split_an_answer(name: str, value: str) -> None:
    with pytest.raises(InvalidResponse):
        sent(Response("x", headers=[(name, value)]))


def test_bodies_follow_the_rules_of_status_and_method() -> None:
    assert sent(Response("hi")).endswith(b"content-length: 2\r\ndate: D\r\n\r\nhi")
    assert sent(Response("hi"), head_only=True).endswith(b"content-length: 2\r\ndate: D\r\n\r\n")
    for status in (204, 304):
        answer = sent(Response(b"hi", status))
        assert answer.endswith(b"\r\n\r\n")
        assert b"content-length" not in answer
    assert b"connection: close" in sent(Response(), keep_alive=False)
    assert b"connection: keep-alive" in sent(Response(), http_1_0=True)


@pytest.mark.parametrize("status", [100, 199, 600, 0])
def test_a_status_that_is_no_answer_is_refused(status: int) -> None:
    with pytest.raises(InvalidResponse):
        sent(Response(status=status))
