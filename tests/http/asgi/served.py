"""An App for other servers to run: `uvicorn served:app`."""

import asyncio
from collections.abc import AsyncIterator

from hopline.http import App, Head, HTTPError, Limits, Request, Response

app = App(Limits(body_size=100_000))
state = {"hooks": "", "closed": 0}


@app.on_startup
async def start() -> None:
    state["hooks"] = "started"


@app.raw
def raw(head: Head) -> bytes | None:
    return b"HTTP/1.1 302 Found\r\nlocation: /there\r\ncontent-length: 0\r\n" if head.target == b"/raw" else None


@app.get("/hello/{name}")
def hello(request: Request) -> Response:
    return Response(f"{state['hooks']} {request.params['name']} {request.query.get('q')} {request.headers['x-a']}")


@app.get("/state")
async def closed(request: Request) -> Response:
    await asyncio.sleep(0)
    return Response.json(state)


@app.post("/size")
def size(request: Request) -> Response:
    return Response(str(len(request.body)))


@app.post("/echo", stream=True, body_size=1 << 30)
def echo(request: Request) -> Response:
    return Response(request.stream())


@app.get("/endless")
def endless(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 10_000
                await asyncio.sleep(0)
        finally:
            state["closed"] = 1

    return Response(parts())


@app.get("/fails")
def fails(request: Request) -> Response:
    raise ZeroDivisionError


@app.get("/teapot")
async def teapot(request: Request) -> Response:
    raise HTTPError(418, "short and stout")


@app.get("/cookies")
def cookies(request: Request) -> Response:
    return Response(b"", 204, headers=[("set-cookie", "a=1"), ("set-cookie", "b=2")])
