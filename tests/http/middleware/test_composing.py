"""Middleware around handlers, and what it gets to see."""

import asyncio

import pytest

from hopline.http import (
    App,
    ConnectionInfo,
    Handler,
    Head,
    HTTPError,
    Request,
    Response,
    request_id,
    security_headers,
    then,
)
from tests.http.asking import ask
from tests.http.server import Server


def test_an_answer_that_is_there_is_gone_on_with_at_once() -> None:
    assert isinstance(then(Response(b"1"), lambda response: Response(response.body + b"2")), Response)


async def test_an_answer_to_come_is_gone_on_with_when_it_comes() -> None:
    async def later() -> Response:
        await asyncio.sleep(0)
        return Response(b"1")

    async def go_on(response: Response) -> Response:
        return Response(response.body + b"2")

    pending = then(later(), go_on)
    assert not isinstance(pending, Response)
    assert (await pending).body == b"12"


def test_a_plain_handler_stays_plain_through_all_of_them() -> None:
    app = App()
    app.get("/")(lambda request: Response("hello"))
    app.use(request_id())
    app.use(security_headers())
    head = Head(ConnectionInfo())
    head.raw, head.method, head.target = b"GET / HTTP/1.1\r\nhost: h\r\n\r\n", b"GET", b"/"

    assert isinstance(app.dispatcher().call(Request(head)), Response)


@pytest.mark.parametrize(("path", "status"), [("/refused", 403), ("/broken", 500), ("/nowhere", 404), ("/late", 500)])
def test_errors_reach_middleware_as_the_answers_they_become(path: str, status: int) -> None:
    app = App()
    seen: list[int] = []

    @app.get("/refused")
    def refused(request: Request) -> Response:
        raise HTTPError(403, "no")

    @app.get("/broken")
    def broken(request: Request) -> Response:
        raise ZeroDivisionError

    @app.get("/late")
    async def late(request: Request) -> Response:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    def note(response: Response) -> Response:
        seen.append(response.status)
        return response

    app.use(lambda handler: lambda request: then(handler(request), note))
    with Server(app) as server:
        assert ask(server, path).status == status
        assert server.stats().handler_errors == (status == 500)
    assert seen == [status]


def test_what_a_middleware_raises_is_seen_by_those_around_it() -> None:
    app = App()
    app.get("/")(lambda request: Response("hello"))
    app.use(request_id())

    def closed(handler: Handler) -> Handler:
        def handle(request: Request) -> Response:
            raise HTTPError(403, "closed")

        return handle

    app.use(closed)
    with Server(app) as server:
        answer = ask(server, "/")

    assert answer.status == 403
    assert len(answer.headers["x-request-id"]) == 32
