"""The client for tests talks to the server itself, only without a socket."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from hopline.http import App, Headers, HTTPServerError, Limits, Request, Response, TestClient

events: list[str] = []


def make_app() -> App:
    app = App(Limits(body_size=1000, target_size=200))
    events.clear()

    @app.on_startup
    async def start() -> None:
        events.append("start")

    @app.on_shutdown
    async def stop() -> None:
        events.append("stop")

    @app.route("/echo", ["GET", "POST", "PUT", "PATCH", "DELETE"])
    def echo(request: Request) -> Response:
        fields = {name: request.headers[name] for name in request.headers}
        return Response.json([request.method, request.query, fields, request.body.decode()])

    @app.get("/slow")
    async def slow(request: Request) -> Response:
        try:
            await asyncio.sleep(60)
        finally:
            events.append("cancelled")
        return Response()

    add_plain_routes(app)
    return app


def add_plain_routes(app: App) -> None:
    @app.get("/peer")
    def peer(request: Request) -> Response:
        return Response(f"{request.peer}")

    @app.get("/large")
    def large(request: Request) -> Response:
        return Response(b"x" * 5_000_000)

    @app.get("/parts")
    def parts(request: Request) -> Response:
        return Response(endless())

    @app.get("/cut")
    def cut(request: Request) -> Response:
        return Response(endless(1), length=10)


async def endless(count: int = 1_000_000) -> AsyncIterator[bytes]:
    try:
        for number in range(count):
            events.append("part")
            yield b"%05d" % number * 2000 if count > 1 else b"five!"
    finally:
        events.append("closed")


async def test_methods_headers_bodies_and_json() -> None:
    async with TestClient(make_app()) as client:
        for call in (client.get, client.post, client.put, client.patch, client.delete):
            method, query, _, body = (await call("/echo?a=1", body="text")).json()
            assert (method.lower(), query, body) == (call.__name__, {"a": "1"}, "text")
        response = await client.post("/echo", headers={"X-A": "ä"}, json={"key": [1]})
        _, _, fields, body = response.json()
        assert body == '{"key": [1]}'
        assert (fields["content-type"], fields["x-a"], fields["host"]) == ("application/json", "ä", "testserver")
        assert isinstance(response.headers, Headers)
        head = await client.head("/echo")
        assert (head.status, head.body, int(head.headers["content-length"]) > 0) == (200, b"", True)
        assert (await client.get("/none")).status == 404
        assert (await client.get("/large")).body == b"x" * 5_000_000


def test_without_async_and_hooks_run() -> None:
    with TestClient(make_app(), peer=("10.1.1.1", 7)) as client:
        assert events == ["start"]
        assert client.get("/peer").text == "('10.1.1.1', 7)"
        assert client.post("/echo", json=[1]).status == 200
        assert client.send_raw(b"GET /peer HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
    assert events == ["start", "stop"]
    with pytest.raises(HTTPServerError, match="inside its"):
        client.get("/peer")


async def test_the_limits_and_the_parser_are_the_real_ones() -> None:
    async with TestClient(make_app()) as client:
        assert (await client.post("/echo", body=b"x" * 1001)).status == 413
        assert (await client.get("/" + "x" * 200)).status == 414
        assert (await client.send_raw(b"nonsense\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
        pipelined = b"GET /peer HTTP/1.1\r\nhost: h\r\n\r\n" * 3
        assert (await client.send_raw(pipelined)).count(b"HTTP/1.1 200 OK") == 3


async def test_a_stream_comes_at_the_pace_of_its_reader() -> None:
    async with TestClient(make_app()) as client, client.stream("GET", "/parts") as response:
        assert (response.status, response.headers["transfer-encoding"]) == (200, "chunked")
        stream = response.stream()
        await anext(stream)
        for _ in range(100):
            await asyncio.sleep(0)
        assert events.count("part") < 30


async def test_an_answer_that_breaks_off_is_an_error() -> None:
    async with TestClient(make_app()) as client:
        with pytest.raises(HTTPServerError, match="before the body of its answer was whole"):
            await client.get("/cut")


async def test_what_takes_too_long_is_a_time_out_and_the_handler_ends() -> None:
    async with TestClient(make_app(), timeout=0.02) as client:
        with pytest.raises(TimeoutError):
            await client.get("/slow")
        assert "cancelled" in events


async def test_many_requests_at_once() -> None:
    async with TestClient(make_app()) as client:
        answers = await asyncio.gather(*(client.get(f"/echo?n={number}") for number in range(200)))
        assert [answer.json()[1]["n"] for answer in answers] == [str(number) for number in range(200)]


async def test_a_start_up_that_fails_is_the_tests_to_see() -> None:
    app = App()

    @app.on_startup
    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await TestClient(app).__aenter__()


def test_the_same_without_async_leaves_nothing_open() -> None:
    app = App()

    @app.on_startup
    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), TestClient(app):
        pass
