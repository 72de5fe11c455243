"""One line an answer, whole, true, and harmless to whoever reads it."""

import asyncio
import json
import logging
import socket
import struct
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hopline.clock import ManualClock
from hopline.http import App, HTTPError, Request, Response, access_log, request_id
from tests.http.asking import ask
from tests.http.server import Server


class Lines(logging.Handler):
    """The lines so far, and a way to wait for the next."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._more = threading.Semaphore(0)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        self._more.release()

    def next(self) -> str:
        assert self._more.acquire(timeout=10)
        return self.lines.pop(0)


@pytest.fixture
def lines() -> Lines:
    return Lines()


def make_app(lines: Lines, **settings: Any) -> App:
    clock = ManualClock()
    logger = logging.Logger("test", logging.INFO)  # noqa: LOG001 - one of its own for each test
    logger.addHandler(lines)
    app = App()

    async def parts() -> AsyncIterator[bytes]:
        yield b"one"
        clock.advance(2)
        yield b"two"

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000
            await asyncio.sleep(0)

    @app.get("/wait")
    async def wait(request: Request) -> Response:
        await asyncio.sleep(60)
        return Response("late")

    @app.get("/refused")
    def refused(request: Request) -> Response:
        raise HTTPError(403, "no")

    @app.get("/hello")
    def hello(request: Request) -> Response:
        clock.advance(0.25)
        return Response("hello")

    app.get("/stream")(lambda request: Response(parts()))
    app.get("/endless")(lambda request: Response(endless()))
    app.use(request_id(make=lambda: "id-1"))
    app.use(access_log(logger=logger, clock=clock, **settings))
    return app


def test_a_line_says_who_what_and_how(lines: Lines) -> None:
    with Server(make_app(lines)) as server:
        ask(server, "/hello?token=secret")
        assert lines.next() == '127.0.0.1 "GET /hello?..." 200 5 0.250000 id-1'
        ask(server, "/hello", method="HEAD")
        assert lines.next() == '127.0.0.1 "HEAD /hello" 200 0 0.250000 id-1'
        ask(server, "/refused")
        assert lines.next().startswith('127.0.0.1 "GET /refused" 403 ')
        ask(server, "/nowhere")
        assert lines.next().startswith('127.0.0.1 "GET /nowhere" 404 ')


def test_a_stream_is_counted_to_its_end(lines: Lines) -> None:
    with Server(make_app(lines)) as server:
        ask(server, "/stream")
        assert lines.next() == '127.0.0.1 "GET /stream" 200 6 2.000000 id-1'
        ask(server, "/stream", method="HEAD")
        assert lines.next() == '127.0.0.1 "HEAD /stream" 200 0 0.000000 id-1'


def test_who_leaves_is_logged_too(lines: Lines) -> None:
    with Server(make_app(lines)) as server:
        with server.client() as client:
            client.sendall(b"GET /endless HTTP/1.1\r\nHost: h\r\n\r\n")
            client.recv(10)
        assert lines.next().startswith('127.0.0.1 "GET /endless" 200 ')
        with server.client() as client:
            client.sendall(b"GET /hello HTTP/1.1\r\nHost: h\r\n\r\nGET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
            lines.next()  # so the second request has arrived, in the same read
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # leaves by a reset
        assert lines.next() == '127.0.0.1 "GET /wait" 499 0 0.000000 id-1'


HOSTILE = b'GET /a%0a\\"b HTTP/1.1\r\nHost: h\r\nUser-Agent: x"\\\ty\xe9\x85 y\r\n\r\n'


def test_nothing_a_client_sends_can_break_a_line(lines: Lines) -> None:
    with Server(make_app(lines, headers=["User-Agent", "Referer"])) as server:
        server.talk(HOSTILE)
        line = lines.next()

    assert line == r'127.0.0.1 "GET /a%0a\x5c\x22b" 404 47 0.000000 id-1 "x\x22\x5c\x09y\xe9\x85 y" "-"'


def test_json_lines_have_the_same_in_fields(lines: Lines) -> None:
    with Server(make_app(lines, form="json", query=True, headers=["User-Agent"])) as server:
        server.talk(b'GET /hello?a=b HTTP/1.1\r\nHost: h\r\nUser-Agent: \xe9"\r\n\r\n')
        line = lines.next()

    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line) == {
        "time": 1_700_000_000.25,
        "peer": "127.0.0.1",
        "method": "GET",
        "target": "/hello?a=b",
        "status": 200,
        "bytes": 5,
        "seconds": 0.25,
        "request_id": "id-1",
        "headers": {"user-agent": 'é"'},
    }


def test_a_form_must_be_known() -> None:
    with pytest.raises(ValueError, match="form 'xml' is not known"):
        access_log(form="xml")
