"""Server-sent events: framing that holds, signs of life, and an end."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from hopline.http import App, Event, Request, Response, last_event_id, sse
from tests.http.asking import ask
from tests.http.server import Server, read_all, read_until


@pytest.fixture
def closed() -> threading.Event:
    return threading.Event()


@pytest.fixture
def server(closed: threading.Event) -> Iterator[Server]:
    app = App()

    async def some() -> AsyncIterator[Event | str]:
        yield "one"
        await asyncio.sleep(0)
        yield Event.json({"two": "ü"}, event="count", id="2")

    async def silent() -> AsyncIterator[str]:
        try:
            yield "begun"
            await asyncio.sleep(60)
        finally:
            closed.set()

    async def broken() -> AsyncIterator[str]:
        yield "begun"
        raise ZeroDivisionError

    app.get("/some")(lambda request: sse(request, some()))
    app.get("/silent")(lambda request: sse(request, silent(), keep_alive=0.02))
    app.get("/quiet")(lambda request: sse(request, silent()))
    app.get("/broken")(lambda request: sse(request, broken()))
    app.get("/last")(lambda request: Response(repr(last_event_id(request))))
    with Server(app) as running:
        yield running


@pytest.mark.parametrize(
    ("event", "sent"),
    [
        (Event("a"), "data: a\n\n"),
        (Event(""), "data: \n\n"),
        (Event("a\nb\r\nc\rd\n"), "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"),
        (Event("a\u2028b\x0bc\x85d"), "data: a\u2028b\x0bc\x85d\n\n"),
        (Event(" a: b", "kind", "id: 1", 1.5), "event: kind\nid: id: 1\nretry: 1500\ndata:  a: b\n\n"),
        (Event("x", event="", id=""), "event: \nid: \ndata: x\n\n"),
        (Event("a\ndata: b\n\nevent: c"), "data: a\ndata: data: b\ndata: \ndata: event: c\n\n"),
    ],
)
def test_an_event_is_sent_as_readers_take_it_apart(event: Event, sent: str) -> None:
    assert event.encode() == sent.encode()


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\0b", "\n"])
@pytest.mark.parametrize("name", ["event", "id"])
def test_a_field_that_would_be_two_is_refused(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"an event's {name} is one line"):
        Event("x", text, None) if name == "event" else Event("x", None, text)


@pytest.mark.parametrize("retry", [-1, float("inf"), float("nan")])
def test_retry_is_a_time(retry: float) -> None:
    with pytest.raises(ValueError, match="retry is a time"):
        Event("x", retry=retry)


def test_events_are_an_answer_that_ends_with_them(server: Server) -> None:
    answer = ask(server, "/some")

    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.body.decode() == 'data: one\n\nevent: count\nid: 2\ndata: {"two":"ü"}\n\n'


def test_silence_is_broken_by_comments_and_the_source_closed_when_the_reader_goes(
    server: Server, closed: threading.Event
) -> None:
    with server.client() as client:
        client.sendall(b"GET /silent HTTP/1.1\r\nHost: h\r\n\r\n")
        assert b"data: begun\n\n" in read_until(client, b"\r\n:\n\n\r\n3\r\n:\n\n\r\n")
        assert not closed.is_set()
    assert closed.wait(10)


def test_the_answer_ends_when_the_server_shuts_down(server: Server, closed: threading.Event) -> None:
    with server.client() as client:
        client.sendall(b"GET /quiet HTTP/1.1\r\nHost: h\r\n\r\n")
        read_until(client, b"data: begun\n\n\r\n")
        drained = ThreadPoolExecutor(1).submit(server.drain, 5)
        assert read_all(client) == b"0\r\n\r\n"
    assert drained.result(10) == 0
    assert closed.is_set()


def test_events_that_break_off_are_not_an_end(server: Server) -> None:
    with server.client() as client:
        client.sendall(b"GET /broken HTTP/1.1\r\nHost: h\r\n\r\n")
        try:
            answer = read_all(client)
        except ConnectionResetError:
            answer = b""

    assert not answer.endswith(b"0\r\n\r\n")
    assert server.stats().handler_errors == 1


def test_a_client_that_comes_again_says_what_it_saw(server: Server) -> None:
    assert ask(server, "/last").body == b"None"
    assert ask(server, "/last", {"Last-Event-ID": "ü 7".encode().decode("latin-1")}).body.decode() == "'ü 7'"


class Source:
    """Events without end, from an iterator that isn't a generator."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    def __aiter__(self) -> "Source":
        return self

    async def __anext__(self) -> str:
        return "x" * 100_000

    async def aclose(self) -> None:
        self.closed.set()


def test_a_source_is_closed_when_its_reader_goes() -> None:
    source = Source()
    app = App()
    app.get("/")(lambda request: sse(request, source))
    with Server(app) as server:
        with server.client() as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            client.recv(1000)
        assert source.closed.wait(10)


async def test_keep_alive_is_a_time() -> None:
    async def nothing() -> AsyncIterator[str]:
        yield ""

    request: Request = None  # type: ignore[assignment]
    with pytest.raises(ValueError, match="keep_alive must be more than 0 s"):
        sse(request, nothing(), keep_alive=0)
