"""Starlette and FastAPI applications on our engine: what their users rely on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import Depends, FastAPI, Form, UploadFile
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from hopline.http import App, HTTPServerError, TestClient

events: list[str] = []


@pytest.fixture(autouse=True)
def _no_events() -> None:
    events.clear()


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
    events.append("started")
    yield {"answer": 42}
    events.append("stopped")


async def hello(request: Request) -> Response:
    return PlainTextResponse(f"hello {request.path_params.get('name')} at {request.url_for('hello', name='x')}")


def in_a_thread(request: Request) -> Response:
    return JSONResponse({"state": request.state.answer})


async def upload(request: Request) -> Response:
    size = 0
    async for part in request.stream():
        size += len(part)
    return PlainTextResponse(str(size))


async def download(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        for number in range(100):
            yield b"%03d" % number * 1000
            if number % 10 == 0:
                await asyncio.sleep(0)

    return StreamingResponse(parts())


async def endless(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 10_000
        finally:
            events.append("closed")

    return StreamingResponse(parts())


async def breaks(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        yield b"some"
        await asyncio.sleep(0.001)
        raise ZeroDivisionError

    return StreamingResponse(parts())


async def fails(request: Request) -> Response:
    raise ZeroDivisionError


async def later(request: Request) -> Response:
    async def work() -> None:
        await asyncio.sleep(0.01)
        events.append("worked")

    return PlainTextResponse("ok", background=BackgroundTask(work))


async def waits(request: Request) -> Response:
    while not await request.is_disconnected():  # noqa: ASYNC110 - as users do
        await asyncio.sleep(0.001)
    events.append("disconnected")
    return PlainTextResponse("nobody reads this")


async def reads(request: Request) -> Response:
    try:
        return PlainTextResponse(await request.body())
    except ClientDisconnect:
        events.append("disconnected")
        raise


class Stamp(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers["x-stamp"] = "1"
        return response


class Naps:
    """Waits in a cancel scope of anyio, entered before the first real suspension."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0))
            await self.app(scope, receive, send)


ROUTES = [
    Route("/hello/{name}", hello, name="hello"),
    Route("/thread", in_a_thread),
    Route("/upload", upload, methods=["POST"]),
    Route("/download", download),
    Route("/endless", endless),
    Route("/breaks", breaks),
    Route("/fails", fails),
    Route("/later", later),
    Route("/waits", waits),
    Route("/reads", reads, methods=["POST"]),
    Mount("/sub", routes=[Route("/hello/{name}", hello, name="hello")]),
]


def starlette(*, middleware: bool = False) -> Starlette:
    layers = [Middleware(Stamp), Middleware(GZipMiddleware), Middleware(Naps)] if middleware else []
    return Starlette(routes=ROUTES, middleware=layers, lifespan=lifespan)


@pytest.mark.parametrize("middleware", [False, True])
async def test_routes_streams_threads_and_state(middleware: bool) -> None:
    async with TestClient(starlette(middleware=middleware)) as client:
        response = await client.get("/hello/ann")
        assert response.text == "hello ann at http://testserver/hello/x"
        assert response.headers.get("x-stamp") == ("1" if middleware else None)
        assert (await client.get("/thread")).json() == {"state": 42}
        assert (await client.post("/upload", body=b"x" * 3_000_000)).text == "3000000"
        assert (await client.get("/download")).body == b"".join(b"%03d" % number * 1000 for number in range(100))
        assert (await client.head("/download")).body == b""
        assert (await client.get("/nothing")).status == 404
        assert (await client.post("/hello/ann")).status == 405
        assert (await client.get("/fails")).status == 500
        assert events == ["started"]
    assert events == ["started", "stopped"]


async def test_many_at_once() -> None:
    async with TestClient(starlette(middleware=True)) as client:
        targets = ["/hello/ann", "/thread", "/download"] * 20
        assert {response.status for response in await asyncio.gather(*map(client.get, targets))} == {200}


async def test_a_mounted_application_builds_urls_below_its_prefix() -> None:
    app = App()
    app.mount("/shop", starlette())
    async with TestClient(app) as client:
        assert (await client.get("/shop/hello/ann")).text == "hello ann at http://testserver/shop/hello/x"
        assert (await client.get("/shop/sub/hello/ann")).text.startswith("hello ann at http://testserver/shop/")
        assert (await client.get("/hello/ann")).status == 404
    assert events == ["started", "stopped"]


async def test_an_error_in_a_stream_breaks_it_off() -> None:
    async with TestClient(starlette()) as client:
        with pytest.raises(HTTPServerError, match="before the body"):
            await client.get("/breaks")


async def test_background_work_comes_after_the_answer_and_before_the_stop() -> None:
    async with TestClient(starlette()) as client:
        assert (await client.get("/later")).text == "ok"
        assert events == ["started"]
    assert events == ["started", "worked", "stopped"]


@pytest.mark.parametrize("middleware", [False, True])
async def test_a_stream_is_closed_when_its_client_leaves(middleware: bool, caplog: pytest.LogCaptureFixture) -> None:
    async with TestClient(starlette(middleware=middleware)) as client:
        async with client.stream("GET", "/endless", headers={"accept-encoding": "identity"}) as response:
            async for _ in response.stream():
                break
        if not middleware:  # with it, Starlette leaves its generators to the garbage collector
            await until("closed")
    assert not caplog.records  # in particular none of a call that had to be cancelled


async def test_a_handler_learns_that_its_client_has_left() -> None:
    async with TestClient(starlette(), timeout=0.05) as client:
        with pytest.raises(TimeoutError):
            await client.get("/waits")
        await until("disconnected")
        events.clear()
        with pytest.raises(TimeoutError):
            await client.post("/reads", body=b"half", headers={"content-length": "8"})
        await until("disconnected")


async def until(event: str) -> None:
    async with asyncio.timeout(5):
        while event not in events:  # noqa: ASYNC110 - the events are plain text
            await asyncio.sleep(0.001)


class Item(BaseModel):
    name: str
    price: float


def fastapi() -> FastAPI:
    app = FastAPI(lifespan=lifespan)

    async def opened() -> AsyncIterator[str]:
        events.append("opened")
        yield "resource"
        events.append("released")

    @app.post("/items")
    async def add(item: Item, resource: str = Depends(opened)) -> dict[str, Any]:
        return {"name": item.name.upper(), "resource": resource}

    @app.post("/files")
    def files(file: UploadFile, title: str = Form()) -> dict[str, Any]:
        return {"size": len(file.file.read()), "title": title}

    return app


async def test_fastapi_validates_depends_and_takes_files() -> None:
    async with TestClient(fastapi()) as client:
        response = await client.post("/items", json={"name": "bread", "price": 2.5})
        assert response.json() == {"name": "BREAD", "resource": "resource"}
        assert events == ["started", "opened", "released"]
        assert (await client.post("/items", json={"name": "bread"})).status == 422
        assert (await client.post("/items", body=b"{", headers={"content-type": "application/json"})).status == 422
        assert (await client.get("/openapi.json")).json()["paths"].keys() == {"/items", "/files"}
        form = (
            b'--b\r\ncontent-disposition: form-data; name="title"\r\n\r\nlong\r\n'
            b'--b\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\n'
            + b"z" * 2_000_000
            + b"\r\n--b--\r\n"
        )
        sent = await client.post("/files", body=form, headers={"content-type": "multipart/form-data; boundary=b"})
        assert sent.json() == {"size": 2_000_000, "title": "long"}
