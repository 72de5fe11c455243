"""The rule table over real sockets, wherever the bytes are split, and what answers may not hold."""

import contextlib
import logging
import queue
import socket
from collections.abc import Iterator

import pytest

from hopline.http import InvalidResponse, Response
from hopline.http.answer import encode
from hopline.http.wire import Wire
from tests.http.echo import make_app
from tests.http.outcomes import exchange, judge, outcome, read_until_closed
from tests.http.rules import RULES, Rule
from tests.http.server import Server

SHORT = 160  # bytes: streams up to this long are split at every offset, longer ones at a few
NAMES = {rule.name: rule for rule in RULES}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    logging.getLogger("hopline.http").setLevel(logging.CRITICAL)  # answers that can't be sent are among the rules
    with Server(make_app()) as running:
        yield running
    logging.getLogger("hopline.http").setLevel(logging.NOTSET)


@pytest.fixture
def arrivals(monkeypatch: pytest.MonkeyPatch) -> "queue.SimpleQueue[int]":
    """How many bytes came with each read of the server."""
    sizes: queue.SimpleQueue[int] = queue.SimpleQueue()
    original = Wire.data_received

    def counting(wire: Wire, data: bytes) -> None:
        original(wire, data)
        sizes.put(len(data))

    monkeypatch.setattr(Wire, "data_received", counting)
    return sizes


def offsets(rule: Rule) -> Iterator[int]:
    size = len(rule.raw)
    yield from range(1, size) if size <= SHORT else range(1, size, max(1, size // 7))


def send_split(server: Server, rule: Rule, at: int, arrivals: "queue.SimpleQueue[int]") -> tuple[bytes, bool]:
    """Send the stream in two, the second part once the server has read the first."""
    with contextlib.suppress(queue.Empty):
        while True:
            arrivals.get_nowait()
    with socket.create_connection(server.address, timeout=10) as client:
        try:
            client.sendall(rule.raw[:at])
            left = at
            while left > 0 and at <= SHORT:
                left -= arrivals.get(timeout=10)
            client.sendall(rule.stream[at:])
        except ConnectionError:
            pass  # refused already
        return read_until_closed(client)


def test_names_are_unique() -> None:
    assert len(NAMES) == len(RULES)


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_is_kept(server: Server, name: str) -> None:
    data, ended = exchange(server.address, NAMES[name], patience=10)

    found, right = judge(NAMES[name], data, ended=ended)
    assert right, f"{found}: {data[:400]!r}"
    assert found == NAMES[name].right[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_is_kept_wherever_its_bytes_are_split(
    server: Server, arrivals: "queue.SimpleQueue[int]", name: str
) -> None:
    rule = NAMES[name]
    for at in offsets(rule):
        data, ended = send_split(server, rule, at, arrivals)

        found, right = judge(rule, data, ended=ended)
        assert right, f"split at {at}: {found}: {data[:400]!r}"
        assert found == rule.right[0], f"split at {at}"


@pytest.mark.parametrize("octet", ["\r", "\n", "\0", "\x7f", "\x1b", "\u20ac"])
@pytest.mark.parametrize("name", ["x", "set-cookie", "location", "content-type"])
def test_octets_that_end_or_spoil_a_field_raise_before_a_byte_is_sent(name: str, octet: str) -> None:
    for field in ((name, f"a{octet}b"), (f"{name}{octet}", "a")):
        with pytest.raises(InvalidResponse):
            encode(Response(b"", headers=[field]), b"", head_only=False, keep_alive=True, http_1_0=False)


@pytest.mark.parametrize("name", ["content-length", "Transfer-Encoding", "Date", "connection", "", "a b", "a:"])
def test_framing_is_not_the_handlers(name: str) -> None:
    with pytest.raises(InvalidResponse):
        encode(Response(b"", headers=[(name, "1")]), b"", head_only=False, keep_alive=True, http_1_0=False)


def test_an_outcome_tells_wrong_framing() -> None:
    date = b"Date: Tue, 24 Nov 2026 12:00:00 GMT\r\n"
    right = b"HTTP/1.1 200 OK\r\n" + date + b"Content-Length: 2\r\n\r\nok"

    assert outcome(right, head=False, ended=True) == "200 closed"
    assert outcome(right, head=True, ended=True) == "malformed"
    assert outcome(right.replace(date, b""), head=False, ended=True) == "no Date"
    assert outcome(right.replace(b"200 OK", b"204 No"), head=False, ended=True) == "malformed"
    assert outcome(right.replace(date, date + b"Transfer-Encoding: chunked\r\n"), head=False, ended=True) == "malformed"
    assert outcome(b"", head=False, ended=False) == "silent"
