"""An application: routes, middleware and error pages, put together once at start-up.

An App holds no socket and no loop; the engine asks it for a `Dispatcher`, which is what runs.
"""

import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from hopline.http.answer import plain
from hopline.http.asgi_host import NO_LIMIT, ASGIApp, Hosted, Receive, Scope, Send, mounted
from hopline.http.batch import Batch, BatchHandler
from hopline.http.collector import BatchLimits
from hopline.http.errors import HTTPError, RouteError
from hopline.http.head import Head
from hopline.http.message import Request, Response
from hopline.http.protocol import Handler, Limits, Middleware, RawHandler
from hopline.http.router import Found, MethodMissing, Router

if TYPE_CHECKING:
    from hopline.http.asgi import AsgiFace
    from hopline.http.engine import Engine

__all__ = ["App", "Dispatcher", "ErrorHandler"]

log = logging.getLogger("hopline.http")
H = TypeVar("H", bound=Handler)
B = TypeVar("B", bound=BatchHandler)
Hook = Callable[[], Awaitable[None]]
ErrorHandler = Callable[[Request, HTTPError], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """A handler, and how it takes its body: whole or as a stream, and up to how many bytes (None: the App's limit)."""

    handler: Handler
    stream: bool = False
    body_size: int | None = None
    pattern: str = ""


class _Router(Router[Route]):
    """Routes by pattern, and below them the mounts, by prefix: where no pattern fits, the longest one that does."""

    def __init__(self) -> None:
        super().__init__()
        self._mounts: list[tuple[bytes, Found[Route]]] = []
        self._has_patterns = False

    def add(self, method: str, pattern: str, endpoint: Route) -> None:
        super().add(method, pattern, endpoint)
        self._has_patterns = True

    def mount(self, prefix: str, endpoint: Route) -> None:
        """Let `endpoint` answer whatever is at `prefix` or below it; RouteError where that is taken or malformed."""
        if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
            raise RouteError(f"prefix {prefix!r} must be empty, or start with '/' and not end with it")
        raw = prefix.encode()
        if any(raw == known for known, _ in self._mounts):
            raise RouteError(f"prefix {prefix!r} has a mount already; remove one")
        self._mounts.append((raw, Found(endpoint, {})))
        self._mounts.sort(key=lambda entry: -len(entry[0]))

    def match(self, method: str, raw_path: bytes) -> Found[Route] | MethodMissing | None:
        found = super().match(method, raw_path) if self._has_patterns else None
        if not isinstance(found, Found):
            for prefix, mount in self._mounts:
                if mounted(prefix, raw_path):
                    return mount
        return found


class App:
    """Routes and what surrounds them. Register everything before it is served; not thread-safe until then.

    Example::

        app = App()

        @app.get("/hello/{name}")
        def hello(request):
            return Response(f"hello {request.params['name']}")
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.raw_handlers: list[RawHandler] = []
        self.batches: list[Batch] = []
        self.startup: list[Hook] = []
        self.shutdown: list[Hook] = []
        self.engine: Engine | None = None  # set in the worker that serves it; its stats are the figures
        self._router = _Router()
        self._asgi: AsgiFace | None = None  # made when a server first calls this App
        self._middleware: list[Middleware] = []
        self._error_handlers: list[tuple[str, ErrorHandler]] = []

    def route(
        self, pattern: str, methods: Iterable[str], *, stream: bool = False, body_size: int | None = None
    ) -> Callable[[H], H]:
        """Register the decorated handler for `methods` on `pattern` (see router.py for patterns).

        With `stream` the handler is called once the head is there and reads `request.stream()`; `body_size` is a
        limit of this route's own, in bytes.
        """

        def register(handler: H) -> H:
            for method in methods:
                self._router.add(method.upper(), pattern, Route(handler, stream, body_size, pattern))
            return handler

        return register

    def get(self, pattern: str) -> Callable[[H], H]:
        """Register for GET, and so for HEAD."""
        return self.route(pattern, ["GET"])

    def post(self, pattern: str, *, stream: bool = False, body_size: int | None = None) -> Callable[[H], H]:
        """Register for POST; see `route`."""
        return self.route(pattern, ["POST"], stream=stream, body_size=body_size)

    def put(self, pattern: str, *, stream: bool = False, body_size: int | None = None) -> Callable[[H], H]:
        """Register for PUT; see `route`."""
        return self.route(pattern, ["PUT"], stream=stream, body_size=body_size)

    def patch(self, pattern: str, *, stream: bool = False, body_size: int | None = None) -> Callable[[H], H]:
        """Register for PATCH; see `route`."""
        return self.route(pattern, ["PATCH"], stream=stream, body_size=body_size)

    def delete(self, pattern: str) -> Callable[[H], H]:
        """Register for DELETE."""
        return self.route(pattern, ["DELETE"])

    def batch(
        self,
        pattern: str,
        *,
        max_size: int = 64,
        max_wait: float = 0.005,
        methods: Iterable[str] = ("POST",),
        max_pending: int = 1024,
        concurrency: int = 1,
    ) -> Callable[[B], B]:
        """Let the decorated handler answer up to `max_size` requests that arrive within `max_wait` seconds at once.

        It gets a list of requests and gives a list of answers; at most `concurrency` calls run at a time. See
        batch.py for what an answer may be, and collector.py for when a batch starts.
        """
        limits = BatchLimits(max_size, max_wait, max_pending, concurrency)

        def register(handler: B) -> B:
            batch = Batch(pattern, handler, limits)
            self.route(pattern, methods)(batch.handle)
            self.batches.append(batch)
            return handler

        return register

    def mount(self, prefix: str, application: ASGIApp, *, body_size: int | None = None) -> None:
        """Let an ASGI 3 application answer all paths at `prefix` and below that no route answers; "" for all.

        Request bodies reach it as they come, without a limit but its own, or of `body_size` bytes.
        """
        hosted = Hosted(application, prefix)
        self._router.mount(prefix, Route(hosted.handle, True, body_size or NO_LIMIT, prefix + "/{path}"))
        self.on_startup(hosted.lifespan.startup)
        self.on_shutdown(hosted.shutdown)

    def raw(self, handler: RawHandler) -> RawHandler:
        """Let `handler` see every bodiless GET and HEAD before the routes do; see RawHandler for the contract."""
        self.raw_handlers.append(handler)
        return handler

    def use(self, middleware: Middleware) -> None:
        """Wrap all routes; what is used first is outermost."""
        self._middleware.append(middleware)

    def on_error(self, prefix: str, handler: ErrorHandler) -> None:
        """Shape the errors of paths that start with `prefix`; the longest prefix wins.

        An exception nobody expected arrives as HTTPError 500 without its text, which is for the log.
        """
        if prefix and not prefix.startswith("/"):
            raise RouteError(f"prefix {prefix!r} must be empty or start with '/'")
        self._error_handlers.append((prefix, handler))

    def on_startup(self, hook: Hook) -> Hook:
        """Run `hook` on the loop before the first request, in every worker process."""
        self.startup.append(hook)
        return hook

    def on_shutdown(self, hook: Hook) -> Hook:
        """Run `hook` after the last answer; last registered first."""
        self.shutdown.append(hook)
        return hook

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Be an ASGI 3 application, for other servers to run; see asgi.py."""
        if self._asgi is None:
            from hopline.http.asgi import AsgiFace  # here: who serves it himself has no use for it

            self._asgi = AsgiFace(self)
        await self._asgi(scope, receive, send)

    def dispatcher(self) -> "Dispatcher":
        """Compose what was registered into what runs."""
        errors = sorted(self._error_handlers, key=lambda entry: -len(entry[0]))
        dispatcher = Dispatcher(self._router, _Routes(self._router).handle, errors)
        for middleware in reversed(self._middleware):
            dispatcher.wrap(middleware)
        return dispatcher


class _Routes:
    """The innermost handler: finds the route's handler and calls it."""

    def __init__(self, router: Router[Route]) -> None:
        self._router = router

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        found = self._router.match(request.method, request.raw_path)
        if found is None:
            raise HTTPError(404, "there is nothing at this address")
        if isinstance(found, MethodMissing):
            allow = (("allow", found.allowed),)
            if request.method == "OPTIONS":
                return Response(b"", 204, headers=allow)
            raise HTTPError(405, f"{request.method} is not for this address; it takes {found.allowed}", allow)
        request.params = found.params
        request.route = found.endpoint.pattern
        return found.endpoint.handler(request)


class Dispatcher:
    """Calls the composed handler and turns whatever comes back into a Response, or a coroutine of one."""

    __slots__ = ("_errors", "_handler", "_router", "handler_errors")

    def __init__(self, router: Router[Route], handler: Handler, errors: list[tuple[str, ErrorHandler]]) -> None:
        self._router = router
        self._handler = handler
        self._errors = errors
        self.handler_errors = 0

    def wrap(self, middleware: Middleware) -> None:
        """Put `middleware` around what there is; what raises inside reaches it as the answer it becomes."""
        self._handler = middleware(partial(self.call, handler=self._handler))

    def route_of(self, head: Head) -> Route | None:
        """The route that a request with a body is for, before the body is read."""
        found = self._router.match(head.method.decode("ascii"), head.target.partition(b"?")[0])
        return found.endpoint if isinstance(found, Found) else None

    def call(self, request: Request, handler: Handler | None = None) -> Response | Coroutine[Any, Any, Response]:
        """Answer `request`, or give the coroutine that will. Never raises an Exception."""
        try:
            result = (handler or self._handler)(request)
        except Exception as error:  # noqa: BLE001 - a handler may raise anything; each becomes an answer
            return self.error(request, error)
        if isinstance(result, Response):
            return result
        return self._finish(request, result)

    async def _finish(self, request: Request, pending: object) -> Response:
        try:
            result: object = await pending if inspect.isawaitable(pending) else pending
            if not isinstance(result, Response):
                raise TypeError(f"a handler must answer a Response, not {type(result).__name__}")
        except Exception as error:  # noqa: BLE001 - as above
            return self.error(request, error)
        return result

    def error(self, request: Request, error: Exception) -> Response:
        """The answer for what a handler raised; logs what was not raised on purpose."""
        if not isinstance(error, HTTPError):
            self.handler_errors += 1
            log.error("%s %r failed", request.method, request.target, exc_info=error)
            error = HTTPError(500, "something went wrong here; the server's log says what")
        for prefix, shape in self._errors:
            if request.path.startswith(prefix):
                try:
                    return shape(request, error)
                except Exception:
                    log.exception("the error page of %r failed", prefix)
                    break
        return plain(error.status, error.detail, error.headers)
