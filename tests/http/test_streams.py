"""Bodies that move: in parts, at the pace of the slower side, in both directions."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

from hopline.http import App, HTTPError, Limits, Request, Response
from hopline.http.streams import ClientGone
from tests.http.server import Server, read_all, read_until

CHUNK = b"c" * 65_536


class Seen:
    """What handlers noticed."""

    def __init__(self) -> None:
        self.parts: list[int] = []
        self.sent = 0
        self.ended = threading.Event()
        self.gone = threading.Event()


def make_app(seen: Seen, limits: Limits | None = None) -> App:
    app = App(limits)

    @app.post("/count", stream=True, body_size=1 << 40)
    async def count(request: Request) -> Response:
        total = 0
        try:
            async for part in request.stream():
                seen.parts.append(len(part))
                total += len(part)
        except ClientGone:
            seen.gone.set()
            raise
        return Response(str(total))

    @app.post("/read", stream=True)
    async def read(request: Request) -> Response:
        return Response(await request.read())

    @app.post("/ignores", stream=True)
    async def ignores(request: Request) -> Response:
        raise HTTPError(403, "not for you")

    @app.post("/small", body_size=10)
    async def small(request: Request) -> Response:
        return Response(request.body)

    @app.post("/echo", stream=True, body_size=1 << 40)
    async def echo(request: Request) -> Response:
        return Response(request.stream())

    add_sending_routes(app, seen)
    return app


def add_sending_routes(app: App, seen: Seen) -> None:
    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                seen.sent += 1
                yield CHUNK
        finally:
            seen.ended.set()

    async def some(breaks: bool = False) -> AsyncIterator[bytes]:
        yield b"one"
        await asyncio.sleep(0.001)
        yield b""
        yield b"two"
        if breaks:
            raise ZeroDivisionError

    app.get("/endless")(lambda request: Response(endless()))
    app.get("/some")(lambda request: Response(some()))
    app.get("/known")(lambda request: Response(some(), length=6))
    app.get("/short")(lambda request: Response(some(), length=7))
    app.get("/breaks")(lambda request: Response(some(breaks=True)))

    @app.get("/until-shutdown")
    async def until_shutdown(request: Request) -> Response:
        async def events() -> AsyncIterator[bytes]:
            while not request.shutting_down:
                yield b"tick"
                await asyncio.sleep(0.01)
            yield b"bye"

        return Response(events())


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def server(seen: Seen) -> Iterator[Server]:
    with Server(make_app(seen)) as running:
        yield running


def get(path: bytes, version: bytes = b"1.1") -> bytes:
    return b"GET %s HTTP/%s\r\nHost: h\r\n\r\n" % (path, version)


def post(path: bytes, body: bytes) -> bytes:
    return b"POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s" % (path, len(body), body)


def test_an_answer_is_sent_as_it_comes_and_the_next_one_follows(server: Server) -> None:
    answer = server.talk(get(b"/some") + get(b"/known"))
    first, _, second = answer.partition(b"0\r\n\r\n")

    assert b"transfer-encoding: chunked\r\n" in first
    assert first.endswith(b"3\r\none\r\n3\r\ntwo\r\n")
    assert b"content-length: 6\r\n" in second
    assert second.endswith(b"\r\n\r\nonetwo")


def test_http_1_0_gets_a_stream_that_ends_with_the_connection(server: Server) -> None:
    answer = server.talk(get(b"/some", b"1.0"), close=False)

    assert b"chunked" not in answer
    assert answer.endswith(b"\r\n\r\nonetwo")


def test_head_of_a_stream_has_no_body(server: Server) -> None:
    answer = server.talk(b"HEAD /some HTTP/1.1\r\nHost: h\r\n\r\n" + get(b"/known"))

    assert answer.count(b"HTTP/1.1 200") == 2
    assert answer.count(b"onetwo") == 1


@pytest.mark.parametrize("path", [b"/breaks", b"/short"])
def test_an_answer_that_breaks_off_is_never_taken_for_whole(server: Server, path: bytes) -> None:
    with server.client() as client:
        client.sendall(get(path))
        try:
            answer = read_all(client)
        except ConnectionResetError:
            answer = b""

    assert not answer.endswith(b"0\r\n\r\n")


def test_a_slow_reader_holds_the_stream_and_leaving_ends_it(server: Server, seen: Seen) -> None:
    with server.client() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        client.sendall(get(b"/endless"))
        client.recv(1)
        before = -1
        while before != seen.sent:  # until the stream stands still
            before = seen.sent
            threading.Event().wait(0.2)
        assert seen.sent * len(CHUNK) < 16_000_000  # kernel buffers and our 64 KiB, not memory
        assert not seen.ended.is_set()

    assert seen.ended.wait(10)


@pytest.mark.parametrize("path", [b"/count", b"/read", b"/echo"])
def test_a_streamed_body_arrives_whole_in_any_framing(server: Server, path: bytes) -> None:
    body = b"x" * 500_000
    chunked = b"POST %s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" % path
    chunked += b"".join(b"%x\r\n%s\r\n" % (5000, body[:5000]) for _ in range(100)) + b"0\r\n\r\n"
    for request in (post(path, body), chunked, post(path, b"")):
        answer = server.talk(request + get(b"/known"))
        assert answer.count(b"HTTP/1.1 200") == 2
        if path == b"/count":
            assert b"\r\n\r\n500000" in answer or b"\r\n\r\n0" in answer
        elif request is not chunked:
            assert answer.count(b"x") >= len(request) - 200


def test_a_handler_that_reads_slowly_slows_its_peer(seen: Seen) -> None:
    gate = threading.Event()
    app = App()

    @app.post("/slow", stream=True, body_size=1 << 40)
    async def slow(request: Request) -> Response:
        await asyncio.to_thread(gate.wait, 20)
        return Response(str(len(await request.read())))

    with Server(app) as server, server.client() as client:
        client.settimeout(0.5)
        client.sendall(b"POST /slow HTTP/1.1\r\nHost: h\r\nContent-Length: 50000000\r\n\r\n")
        sent = 0
        try:
            while sent < 50_000_000:
                sent += client.send(CHUNK)
        except TimeoutError:
            pass
        assert sent < 20_000_000
        gate.set()
        client.settimeout(20)
        while sent < 50_000_000:
            sent += client.send(CHUNK[: 50_000_000 - sent])

        assert read_until(client, b"50000000").startswith(b"HTTP/1.1 200")


def test_continue_is_sent_when_the_handler_reads_and_not_before(server: Server) -> None:
    head = b"POST %s HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    with server.client() as client:
        client.sendall(head % b"/read")
        assert read_until(client, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"ok")
        assert read_until(client, b"ok").startswith(b"HTTP/1.1 200")
    refused = server.talk(head % b"/ignores", close=False)
    assert refused.startswith(b"HTTP/1.1 403")
    assert b"100 Continue" not in refused


def test_an_answer_before_the_body_is_read_closes_the_connection(server: Server) -> None:
    answer = server.talk(post(b"/ignores", b"x" * 200_000) + get(b"/known"), close=False)

    assert answer.startswith(b"HTTP/1.1 403")
    assert b"connection: close\r\n" in answer
    assert answer.count(b"HTTP/1.1 ") == 1


def test_a_route_has_a_limit_of_its_own(server: Server) -> None:
    assert server.talk(post(b"/small", b"x" * 10)).startswith(b"HTTP/1.1 200")
    assert server.talk(post(b"/small", b"x" * 11), close=False).startswith(b"HTTP/1.1 413")
    chunked = b"POST /small HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n"
    assert server.talk(chunked, close=False).startswith(b"HTTP/1.1 413")


def test_a_peer_that_leaves_in_its_body_is_told_to_the_handler(server: Server, seen: Seen) -> None:
    with server.client() as client:
        client.sendall(b"POST /count HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc")
        while not seen.parts:
            pass

    assert seen.gone.wait(10)


def test_a_peer_that_stalls_in_its_body_gets_408() -> None:
    seen = Seen()
    with Server(make_app(seen, Limits(body_timeout=0.2))) as server, server.client() as client:
        client.sendall(b"POST /count HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc")

        assert read_all(client).startswith(b"HTTP/1.1 408")


def test_a_long_answer_hears_of_the_shutdown(server: Server) -> None:
    with server.client() as client:
        client.sendall(get(b"/until-shutdown"))
        read_until(client, b"tick\r\n")
        assert server.drain(5.0) == 0
        assert read_all(client).endswith(b"3\r\nbye\r\n0\r\n\r\n")
