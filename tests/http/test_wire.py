"""The server over real sockets: an Engine on a loop in a thread, a client with raw bytes."""

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest

from hopline.http import App, HTTPError, Limits, Request, Response
from tests.http.server import Server, read_all, read_until, read_what_is_left

GET = b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n"


REDIRECT = b"HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n"


def make_app(limits: Limits | None = None) -> App:
    app = App(limits)
    app.raw(lambda head: REDIRECT if head.target == b"/raw" else None)
    add_plain_routes(app)
    add_waiting_routes(app)
    return app


def add_plain_routes(app: App) -> None:
    app.get("/plain")(lambda request: Response("plain"))
    app.get("/no-response")(lambda request: None)  # type: ignore[type-var]
    app.get("/splits")(lambda request: Response("x", headers=[("x", "a\r\nset-cookie: evil")]))
    app.get("/big")(lambda request: Response(b"b" * 2_000_000))

    @app.get("/teapot")
    def teapot(request: Request) -> Response:
        raise HTTPError(418, "short and stout")


def add_waiting_routes(app: App) -> None:
    gate = asyncio.Event()

    @app.get("/never-waits")
    async def never_waits(request: Request) -> Response:
        async with asyncio.timeout(5):  # noqa: ASYNC100 - it asks for the current task, which is the point
            return Response("never waits")

    @app.get("/waits/{n:int}")
    async def waits(request: Request) -> Response:
        async with asyncio.timeout(5):
            await asyncio.sleep(0.01 / (1 + request.params["n"]))
        return Response(f"waited {request.params['n']}")

    @app.get("/gate")
    async def wait_at_gate(request: Request) -> Response:
        await gate.wait()
        return Response("through")

    @app.get("/open")
    async def open_gate(request: Request) -> Response:
        gate.set()
        return Response("opened")

    @app.get("/breaks")
    async def breaks(request: Request) -> Response:
        raise ZeroDivisionError("secret")

    @app.post("/echo")
    async def echo(request: Request) -> Response:
        return Response(request.body)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(make_app()) as running:
        yield running


def test_pipelined_answers_come_in_order_whatever_they_wait_for(server: Server) -> None:
    paths = [b"/waits/0", b"/raw", b"/waits/9", b"/plain", b"/never-waits", b"/raw", b"/waits/3"]

    answer = server.talk(b"".join(GET % path for path in paths))

    marks = [b"waited 0", b"302 Found", b"waited 9", b"plain", b"never waits", b"302 Found", b"waited 3"]
    at = 0
    for mark in marks:
        at = answer.find(mark, at)
        assert at >= 0, mark
        at += len(mark)
    assert answer.count(b"HTTP/1.1 ") == len(paths)


def test_a_deep_pipeline_is_answered_whole(server: Server) -> None:
    answer = server.talk((GET % b"/raw") * 5000)

    assert answer.count(b"302 Found") == 5000


def test_head_has_the_length_and_no_body(server: Server) -> None:
    answer = server.talk(b"HEAD /plain HTTP/1.1\r\nHost: h\r\n\r\n" + GET % b"/raw")

    assert b"content-length: 5\r\n" in answer
    assert b"plain\r\n" not in answer.replace(b"text/plain", b"")
    assert answer.count(b"HTTP/1.1 ") == 2


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (b"/missing", b"404"),
        (b"/breaks", b"500"),
        (b"/no-response", b"500"),
        (b"/splits", b"500"),
        (b"/teapot", b"418"),
    ],
)
def test_errors_are_answered_without_their_secrets(server: Server, path: bytes, status: bytes) -> None:
    answer = server.talk(GET % path)

    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"secret" not in answer
    assert b"evil" not in answer


def test_a_method_that_is_not_served_names_those_that_are(server: Server) -> None:
    answer = server.talk(b"DELETE /plain HTTP/1.1\r\nHost: h\r\n\r\nOPTIONS /plain HTTP/1.1\r\nHost: h\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 405 ")
    assert answer.count(b"allow: GET, HEAD, OPTIONS\r\n") == 2
    assert b"HTTP/1.1 204 " in answer


def test_bodies_arrive_whole_in_any_framing(server: Server) -> None:
    body = b"x" * 300_000
    fixed = b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    chunked = b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunked += b"".join(b"%x\r\n%s\r\n" % (1000, body[:1000]) for _ in range(300)) + b"0\r\n\r\n"

    assert server.talk(fixed).endswith(body)
    assert server.talk(chunked).endswith(body)


def test_continue_is_sent_before_the_body(server: Server) -> None:
    with server.client() as client:
        client.sendall(b"POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert read_until(client, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"ok")
        assert read_until(client, b"ok").startswith(b"HTTP/1.1 200 OK\r\n")


def test_connection_close_is_kept_by_raw_and_other_routes(server: Server) -> None:
    for path in (b"/raw", b"/plain", b"/waits/1"):
        head = b"GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" % path
        answer = server.talk(head + GET % b"/plain", close=False)

        assert b"connection: close\r\n" in answer
        assert answer.count(b"HTTP/1.1 ") == 1


def test_a_refusal_reaches_a_client_that_is_still_sending() -> None:
    with Server(make_app(Limits(body_size=1000))) as server, server.client() as client:
        client.sendall(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5000000\r\n\r\n" + b"x" * 100_000)
        answer = read_all(client)

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_reader_that_does_not_read_holds_its_input_not_our_memory(server: Server) -> None:
    with server.client() as client:
        client.sendall((GET % b"/big") * 20)  # forty megabytes of answers, if nothing held them
        assert client.recv(10).startswith(b"HTTP/1.1 2")
        assert server.talk(GET % b"/plain").endswith(b"plain")
        served = server.stats().requests
        assert server.talk(GET % b"/plain").endswith(b"plain")

        assert server.stats().requests == served + 1  # the others wait unparsed
        total = 10
        while total < 20 * 2_000_000:
            total += len(client.recv(1 << 20))


def test_slow_heads_and_bodies_get_408_and_idle_connections_are_closed() -> None:
    limits = Limits(head_timeout=0.2, body_timeout=0.2, idle_timeout=0.2)
    with Server(make_app(limits)) as server:
        with server.client() as idle, server.client() as head, server.client() as body:
            head.sendall(b"GET / HTTP/1.1\r\nHo")
            body.sendall(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab")

            assert read_all(idle) == b""
            assert read_all(head).startswith(b"HTTP/1.1 408 ")
            assert read_all(body).startswith(b"HTTP/1.1 408 ")
        assert server.stats().timeouts >= 3


def test_connections_over_the_limit_are_told_so() -> None:
    with Server(make_app(Limits(connections=1))) as server, server.client() as first:
        first.sendall(GET % b"/plain")
        read_until(first, b"plain")
        with server.client() as second:
            assert read_all(second).startswith(b"HTTP/1.1 503 ")

        assert server.stats().refused == 1


def test_a_reader_that_takes_nothing_is_cut_and_a_slow_one_is_not() -> None:
    with Server(make_app(Limits(write_timeout=1.5, idle_timeout=0.2))) as server:
        with server.client() as stuck, server.client() as slow:
            stuck.sendall((GET % b"/big") * 10)
            slow.sendall(b"GET /big HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            total = 0
            while part := slow.recv(20_000):
                total += len(part)
                threading.Event().wait(0.03)  # three seconds in all, each read well within the time-out
            assert total > 2_000_000
            assert len(read_what_is_left(stuck)) < 20_000_000  # cut, with most of it unsent


def test_drain_finishes_what_is_under_way_and_closes_the_rest() -> None:
    with Server(make_app()) as server, server.client() as busy, server.client() as idle:
        idle.sendall(GET % b"/plain")
        read_until(idle, b"plain")
        busy.sendall(GET % b"/gate")
        while server.stats().connections < 2:
            pass
        other = socket.create_connection(server.address, timeout=10)
        other.sendall(b"GET /open HTTP/1.1\r\nHost: h\r\nX-Slow: ")  # ends after the drain has begun
        draining = threading.Thread(target=server.drain)
        draining.start()
        assert read_all(idle) == b""
        server.loop.call_soon_threadsafe(open_gate_of, server)
        answer = read_all(busy)
        draining.join(10)
        other.close()

    assert answer.endswith(b"through")
    assert b"connection: close" in answer


def open_gate_of(server: Server) -> None:
    """Call /open from inside: the server accepts nobody any more."""
    assert server.engine is not None
    from hopline.http.connection import Connection
    from hopline.http.head import ConnectionInfo

    connection = Connection(Limits(), ConnectionInfo())
    connection.receive(GET % b"/open")
    assert connection.next()
    pending = server.engine.dispatcher.call(Request(connection.head))
    assert not isinstance(pending, Response)
    server.loop.create_task(pending)


def test_a_handler_that_never_ends_is_cut_at_the_deadline() -> None:
    with Server(make_app()) as server, server.client() as client:
        client.sendall(GET % b"/gate")
        while server.stats().connections < 1:
            pass
        cut = server.drain(0.2)

        assert cut == 1
        assert read_all(client) == b""


def test_figures_count_what_happened() -> None:
    with Server(make_app()) as server:
        server.talk(GET % b"/raw" + GET % b"/plain" + GET % b"/breaks")
        server.talk(b"nonsense\r\n\r\n")
        stats = server.stats()

    assert (stats.raw_requests, stats.requests, stats.handler_errors, stats.protocol_errors) == (1, 2, 1, 1)
    assert stats.accepted == 2
