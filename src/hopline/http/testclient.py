"""A client for tests: requests to an App, or to an ASGI application, without a socket, a port or a thread.

What answers is the server itself, connection, limits, errors and streams included; only the transport is in memory.

Example::

    async def test_hello() -> None:
        async with TestClient(make_app()) as client:
            response = await client.get("/hello/world")
            assert response.text == "hello world"

    def test_hello_without_async() -> None:
        with TestClient(make_app()) as client:
            assert client.get("/hello/world").text == "hello world"
"""

import asyncio
import json as json_module
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, ClassVar, Final, Self, TypeVar

import httptools

from hopline.http.app import App
from hopline.http.asgi import host
from hopline.http.asgi_host import ASGIApp
from hopline.http.engine import Engine
from hopline.http.errors import HTTPServerError
from hopline.http.message import Headers
from hopline.http.testtransport import MemoryTransport
from hopline.http.wire import Wire

__all__ = ["SyncTestClient", "TestClient", "TestResponse", "TestStream"]

T = TypeVar("T")
MAX_BODY: Final = 64 * 1_048_576  # bytes of an answer read whole; stream what is larger


class TestResponse:
    """A whole answer."""

    __test__: ClassVar = False  # not a test, whatever pytest makes of its name

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode()

    def json(self) -> Any:
        """The body as JSON."""
        return json_module.loads(self.body)

    def __repr__(self) -> str:
        return f"<TestResponse {self.status} {len(self.body)} bytes>"


class TestStream:
    """An answer whose body is read as it comes: iterate over `stream()`. Leaving its `async with` hangs up."""

    __test__: ClassVar = False

    def __init__(self, transport: MemoryTransport, method: str) -> None:
        self.status = 0
        self._transport = transport
        self._head_only = method == "HEAD"
        self._fields: list[tuple[str, str]] = []
        self._parts: list[bytes] = []
        self._complete = False
        self._has_head = False
        self._parser = httptools.HttpResponseParser(self)

    @property
    def headers(self) -> Headers:
        """The header fields."""
        return Headers(self._fields)

    async def stream(self) -> AsyncIterator[bytes]:
        """The body in parts. HTTPServerError where the connection ends before it does."""
        while True:
            while self._parts:
                yield self._parts.pop(0)
            if self._complete:
                return
            await self._receive("body")

    async def read_head(self) -> None:
        """Wait for the status and the header fields."""
        while not self._has_head:
            await self._receive("head")

    async def _receive(self, what: str) -> None:
        data = await self._transport.read()
        if not data:
            framed = "content-length" in self.headers or "transfer-encoding" in self.headers
            if not self._has_head or framed:
                raise HTTPServerError(f"the server closed the connection before the {what} of its answer was whole")
            self._complete = True
            return
        self._parser.feed_data(data)

    # What httptools calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status == 100:
            self._fields.clear()
            return
        self._has_head = True
        # The parser doesn't know that it was a HEAD; whatever follows is no body, and its end is now.
        self._complete = self._head_only

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        self._complete = self._has_head


class TestClient:
    """Requests to `app` in memory. Start-up hooks run on entering, shutdown hooks on leaving.

    Each request has a connection of its own and `timeout` seconds; many may be under way at once. Entered by a plain
    `with` it becomes a SyncTestClient. `peer` is the address that requests come from.
    """

    __test__: ClassVar = False

    def __init__(
        self, app: App | ASGIApp, *, timeout: float = 10.0, peer: tuple[str, int] = ("127.0.0.1", 50_000)
    ) -> None:
        self._app = app if isinstance(app, App) else host(app)
        self._timeout = timeout
        self._peer = peer
        self._engine: Engine | None = None
        self._sync: SyncTestClient | None = None

    async def __aenter__(self) -> Self:
        engine = Engine(self._app, asyncio.get_running_loop())
        await engine.start([])
        self._engine = engine
        return self

    async def __aexit__(self, *exc: object) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.drain(self._timeout)

    def __enter__(self) -> "SyncTestClient":
        self._sync = SyncTestClient(self)
        return self._sync.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._sync is not None:
            self._sync.__exit__(kind, error, traceback)

    async def get(self, target: str, **options: Any) -> TestResponse:
        """GET; options as for `request`."""
        return await self.request("GET", target, **options)

    async def head(self, target: str, **options: Any) -> TestResponse:
        """HEAD; options as for `request`."""
        return await self.request("HEAD", target, **options)

    async def post(self, target: str, **options: Any) -> TestResponse:
        """POST; options as for `request`."""
        return await self.request("POST", target, **options)

    async def put(self, target: str, **options: Any) -> TestResponse:
        """PUT; options as for `request`."""
        return await self.request("PUT", target, **options)

    async def patch(self, target: str, **options: Any) -> TestResponse:
        """PATCH; options as for `request`."""
        return await self.request("PATCH", target, **options)

    async def delete(self, target: str, **options: Any) -> TestResponse:
        """DELETE; options as for `request`."""
        return await self.request("DELETE", target, **options)

    async def request(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        body: bytes | str = b"",
        json: Any = None,
    ) -> TestResponse:
        """Send one request and read the whole answer. TimeoutError; HTTPServerError where it breaks off."""
        async with (
            asyncio.timeout(self._timeout),
            self.stream(method, target, headers=headers, body=body, json=json) as answer,
        ):
            parts, size = [], 0
            async for part in answer.stream():
                parts.append(part)
                size += len(part)
                if size > MAX_BODY:
                    raise HTTPServerError(f"the answer is over {MAX_BODY} bytes; read it with stream()")
            return TestResponse(answer.status, answer.headers, b"".join(parts))

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        body: bytes | str = b"",
        json: Any = None,
    ) -> AsyncIterator[TestStream]:
        """Send one request; the answer as soon as its head is there."""
        data = _encode(method, target, headers, body, json)
        transport = await self._connect()
        sender = asyncio.ensure_future(transport.send(data))
        try:
            answer = TestStream(transport, method)
            async with asyncio.timeout(self._timeout):
                await answer.read_head()
            yield answer
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
            await transport.hang_up()

    async def send_raw(self, data: bytes) -> bytes:
        """Send `data` as it is, end, and read all that comes back: for what no client would send."""
        transport = await self._connect()
        try:
            async with asyncio.timeout(self._timeout):
                await transport.send(data)
                await transport.send_eof()
                parts = []
                while part := await transport.read():
                    parts.append(part)
                return b"".join(parts)
        finally:
            await transport.hang_up()

    async def _connect(self) -> MemoryTransport:
        if self._engine is None:
            raise HTTPServerError("a TestClient works inside its `async with` or `with`")
        transport = MemoryTransport(self._engine.loop, Wire(self._engine), self._peer)
        await transport.connect()
        return transport


def _encode(
    method: str, target: str, headers: Mapping[str, str] | Iterable[tuple[str, str]], body: bytes | str, json: Any
) -> bytes:
    fields = list(headers.items() if isinstance(headers, Mapping) else headers)
    names = {name.lower() for name, _ in fields}
    data = body.encode() if isinstance(body, str) else body
    if json is not None:
        data = json_module.dumps(json).encode()
        if "content-type" not in names:
            fields.append(("content-type", "application/json"))
    if "host" not in names:
        fields.insert(0, ("host", "testserver"))
    if not names & {"content-length", "transfer-encoding"} and (data or method in ("POST", "PUT", "PATCH")):
        fields.append(("content-length", str(len(data))))
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + data


class SyncTestClient:
    """The same for tests that aren't async: the loop runs while a request does, and stands between them."""

    __test__: ClassVar = False

    def __init__(self, client: TestClient) -> None:
        self._client = client
        self._runner: asyncio.Runner | None = None

    def __enter__(self) -> Self:
        self._runner = asyncio.Runner()
        try:
            self._run(self._client.__aenter__())
        except BaseException:
            self._runner.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            with runner:
                runner.run(self._client.__aexit__(*exc))

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        if self._runner is None:
            coroutine.close()
            raise HTTPServerError("a TestClient works inside its `async with` or `with`")
        return self._runner.run(coroutine)

    def get(self, target: str, **options: Any) -> TestResponse:
        """GET; options as for `request`."""
        return self.request("GET", target, **options)

    def head(self, target: str, **options: Any) -> TestResponse:
        """HEAD; options as for `request`."""
        return self.request("HEAD", target, **options)

    def post(self, target: str, **options: Any) -> TestResponse:
        """POST; options as for `request`."""
        return self.request("POST", target, **options)

    def put(self, target: str, **options: Any) -> TestResponse:
        """PUT; options as for `request`."""
        return self.request("PUT", target, **options)

    def patch(self, target: str, **options: Any) -> TestResponse:
        """PATCH; options as for `request`."""
        return self.request("PATCH", target, **options)

    def delete(self, target: str, **options: Any) -> TestResponse:
        """DELETE; options as for `request`."""
        return self.request("DELETE", target, **options)

    def request(self, method: str, target: str, **options: Any) -> TestResponse:
        """As TestClient.request."""
        return self._run(self._client.request(method, target, **options))

    def send_raw(self, data: bytes) -> bytes:
        """As TestClient.send_raw."""
        return self._run(self._client.send_raw(data))
