"""Bare ASGI applications on our engine: scope, messages in and out, their order, and what a disconnect means."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hopline.http import App, ASGIError, HTTPServerError, Request, Response, RouteError, TestClient, host
from hopline.http.asgi_host import Receive, Scope, Send
from hopline.http.protocol import Handler, Limits
from hopline.http.streams import ClientGone

START = {"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"1")]}
BIG = b"b" * 65_536


def body(part: bytes, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": part, "more_body": more}


def only_http(call: Callable[[Scope, Receive, Send], Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """An application that knows no lifespan."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(scope["type"])
        await call(scope, receive, send)

    return application


async def test_the_scope_is_complete() -> None:
    seen: list[Scope] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        await send(START)
        await send(body(b"ok"))

    async with TestClient(only_http(application), peer=("10.0.0.1", 4000)) as client:
        await client.get("/a%20%C3%A9?q=1%202&r", headers=[("X-One", " a "), ("x-one", "b")])
        await client.send_raw(b"OPTIONS * HTTP/1.0\r\nhost: h\r\n\r\n")
    assert seen[0] == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/a é",
        "raw_path": b"/a%20%C3%A9",
        "query_string": b"q=1%202&r",
        "root_path": "",
        "headers": [(b"host", b"testserver"), (b"x-one", b"a"), (b"x-one", b"b")],
        "client": ("10.0.0.1", 4000),
        "server": ("testserver", 80),
        "state": {},
    }
    assert (seen[1]["method"], seen[1]["path"], seen[1]["http_version"]) == ("OPTIONS", "*", "1.0")


async def test_a_mount_is_below_the_routes_and_has_a_root_path() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(body(f"{scope['root_path']} {scope['path']}".encode()))

    app = App()
    app.mount("/api", only_http(application))
    app.mount("/api/v2", only_http(application))
    app.get("/api/own")(lambda request: Response("own"))
    async with TestClient(app) as client:
        for path, answer in (
            ("/api", "/api /api"),
            ("/api/x", "/api /api/x"),
            ("/%61pi/x", "/api /api/x"),
            ("/api/v2/x", "/api/v2 /api/v2/x"),
            ("/api/own", "own"),
        ):
            assert (await client.get(path)).text == answer
        assert (await client.post("/api/own")).text == "/api /api/own"  # no route of ours for POST
        assert (await client.get("/apis")).status == 404


def test_a_mount_that_can_not_work_is_refused() -> None:
    app = App()
    app.mount("/api", only_http(echo))
    for prefix in ("/api", "api", "/", "/x/"):
        with pytest.raises(RouteError):
            app.mount(prefix, only_http(echo))


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await send({**START, "headers": [(b"content-length", dict(scope["headers"]).get(b"content-length", b"0"))]})
    more = True
    while more:
        message = await receive()
        more = message["more_body"]
        await send(body(message["body"], more))


async def test_bodies_stream_in_both_directions_without_a_limit_of_ours() -> None:
    async with TestClient(only_http(echo)) as client:
        data = bytes(range(256)) * 20_000  # 5 MB: five times what a route of ours takes
        response = await client.post("/", body=data)
        assert response.body == data
        assert response.headers["content-length"] == str(len(data))


async def test_a_limit_of_the_mount_is_kept_whatever_the_application_says() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        while (message := await receive())["type"] == "http.request" and message["more_body"]:
            pass
        await send(START)
        await send(body(b"read all"))

    app = App()
    app.mount("", only_http(application), body_size=1000)
    chunks = b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n" + b"1f4\r\n" + b"x" * 500 + b"\r\n"
    async with TestClient(app) as client:
        assert (await client.post("/", body=b"x" * 1001)).status == 413
        assert (await client.post("/", body=b"x" * 1000)).text == "read all"
        answer = await client.send_raw(chunks + b"1f5\r\n" + b"x" * 501 + b"\r\n0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 413 ")


async def test_an_answer_sent_before_the_first_wait_is_plain_and_without_a_task() -> None:
    tasks: list[int] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(START)
        await send(body(b"one ", more=True))
        await send(body(b"two"))

    app = host(only_http(application))

    def look(handler: Handler) -> Handler:
        def handle(request: Request) -> Response | Awaitable[Response]:
            before = len(asyncio.all_tasks())
            response = handler(request)
            assert isinstance(response, Response)
            assert (response.stream, response.body) == (None, b"one two")
            tasks.append(len(asyncio.all_tasks()) - before)
            return response

        return handle

    app.use(look)
    async with TestClient(app) as client:
        assert (await client.get("/")).headers["content-length"] == "7"
    assert tasks == [0]


async def test_middleware_that_awaits_may_wrap_a_mount() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        before = asyncio.current_task()
        await asyncio.sleep(0)
        assert asyncio.current_task() is before
        await send(START)
        await send(body(b"ok"))

    def slow(handler: Handler) -> Handler:
        async def handle(request: Request) -> Response:
            await asyncio.sleep(0)
            answer = handler(request)
            return answer if isinstance(answer, Response) else await answer

        return handle

    app = host(only_http(application))
    app.use(slow)
    async with TestClient(app) as client:
        assert (await client.get("/")).text == "ok"


@pytest.mark.parametrize("waits", [False, True])
async def test_a_failure_before_the_first_part_is_500(waits: bool) -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if waits:
            await asyncio.sleep(0)
        if scope["path"] == "/started":
            await send(START)
        if scope["path"] == "/silent":
            return
        raise ZeroDivisionError

    async with TestClient(only_http(application)) as client:
        for path in ("/", "/started", "/silent"):
            assert (await client.get(path)).status == 500


async def test_a_failure_after_it_breaks_the_connection_off() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(body(b"part", more=True))
        await asyncio.sleep(0.001)
        if scope["path"] == "/raises":
            raise ZeroDivisionError

    async with TestClient(only_http(application)) as client:
        for path in ("/raises", "/returns"):
            with pytest.raises(HTTPServerError, match="before the body"):
                await client.get(path)


@pytest.mark.parametrize(
    "messages",
    [
        [body(b"early")],
        [START, START],
        [START, body(b"last"), body(b"one more")],
        [{"type": "http.response.nonsense"}],
        [{**START, "headers": [(b"content-length", b"-1")]}],
    ],
)
async def test_a_wrong_order_raises_in_the_application(messages: list[dict[str, Any]]) -> None:
    raised: list[Exception] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            for message in messages:
                await send(message)
        except ASGIError as error:
            raised.append(error)
            raise

    async with TestClient(only_http(application)) as client:
        response = await client.get("/")
    assert len(raised) == 1
    assert response.status == (200 if len(messages) == 3 else 500)


@pytest.mark.parametrize("status", [99, 103, 600])
async def test_a_status_that_is_none_raises(status: int) -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send({**START, "status": status})

    async with TestClient(only_http(application)) as client:
        assert (await client.get("/")).status == 500


async def test_a_header_that_can_not_be_sent_is_500_and_the_application_is_told() -> None:
    told = asyncio.Event()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send({**START, "headers": [(b"x", b"a\r\nb: c")]})
        try:
            while True:
                await send(body(BIG, more=True))
        except ClientGone:
            told.set()
            raise

    async with TestClient(only_http(application)) as client:
        response = await client.get("/")
        assert (response.status, "b" in response.headers) == (500, False)
        await asyncio.wait_for(told.wait(), 5)


async def test_answers_without_a_body(caplog: pytest.LogCaptureFixture) -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        status = int(scope["path"][1:])
        length = [(b"content-length", b"6")] if b"len" in scope["query_string"] else []
        await send({"type": "http.response.start", "status": status, "headers": length})
        if scope["query_string"] == b"len-empty":
            await send(body(b""))
            return
        for _ in range(40):
            await send(body(BIG, more=True))
        await send(body(b""))

    async with TestClient(only_http(application)) as client:
        for method, target in (("GET", "/204"), ("GET", "/304"), ("HEAD", "/200"), ("HEAD", "/200?len")):
            response = await client.request(method, target)
            assert response.body == b""
        assert (await client.head("/200?len-empty")).headers["content-length"] == "6"
    assert not caplog.records  # none of the four waits for room that nobody makes


async def test_send_waits_while_the_client_does_not_read() -> None:
    sent: list[int] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        for _ in range(64):
            sent.append(1)
            await send(body(BIG, more=True))
        await send(body(b""))

    async with TestClient(only_http(application)) as client, client.stream("GET", "/") as response:
        for _ in range(200):
            await asyncio.sleep(0)
        assert len(sent) <= 6
        size = 0
        async for part in response.stream():
            size += len(part)
        assert (size, len(sent)) == (64 * len(BIG), 64)


@pytest.mark.parametrize("sends", [False, True])
async def test_a_client_that_leaves_is_a_disconnect_and_send_raises(sends: bool) -> None:
    noticed: list[str] = []
    ended = asyncio.Event()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(START)
        await send(body(b"first", more=True))
        try:
            while sends:
                await send(body(BIG, more=True))
            noticed.append((await receive())["type"])
            await send(body(b"late", more=True))
        except OSError as error:
            noticed.append(type(error).__name__)
            noticed.append((await receive())["type"])
        ended.set()

    async with TestClient(only_http(application)) as client:
        async with client.stream("GET", "/"):
            pass  # hangs up
        await asyncio.wait_for(ended.wait(), 5)
    assert noticed == [*([] if sends else ["http.disconnect"]), "ClientGone", "http.disconnect"]


async def test_a_client_that_leaves_before_the_answer_is_a_disconnect_not_a_cancellation() -> None:
    noticed: list[str] = []
    ended = asyncio.Event()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        while (message := await receive())["type"] != "http.disconnect":
            noticed.append(str(message["more_body"]))
        noticed.append("gone")
        await asyncio.sleep(0.001)
        ended.set()

    async with TestClient(only_http(application), timeout=0.05) as client:
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await client.get("/")
            await asyncio.wait_for(ended.wait(), 5)
            ended.clear()
        with pytest.raises(TimeoutError):
            await client.post("/", body=b"half", headers={"content-length": "8"})
        await asyncio.wait_for(ended.wait(), 5)
    assert noticed == ["False", "gone"] * 2 + ["True", "gone"]


async def test_work_behind_the_answer_goes_on_and_a_stop_waits_for_it(caplog: pytest.LogCaptureFixture) -> None:
    done: list[str] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(body(b"answered"))
        done.append((await receive())["type"])
        await asyncio.sleep(0.05)
        done.append("worked")
        if scope["path"] == "/fails":
            raise ZeroDivisionError

    async with TestClient(only_http(application)) as client:
        assert (await client.get("/")).text == "answered"
        assert (await client.get("/fails")).text == "answered"
        assert done == ["http.disconnect"] * 2
    assert done == ["http.disconnect"] * 2 + ["worked"] * 2
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_a_mount_keeps_the_limits_of_the_connection() -> None:
    app = App(Limits(head_size=500))
    app.mount("", only_http(echo))
    async with TestClient(app) as client:
        assert (await client.get("/", headers={"x": "y" * 600})).status == 431
