"""An application: routes, middleware and error pages, put together once at start-up.

An App holds no socket and no loop; the engine asks it for a `Dispatcher`, which is what runs.
"""

import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from hopline.http.answer import plain
from hopline.http.errors import HTTPError, RouteError
from hopline.http.head import Head
from hopline.http.message import Request, Response
from hopline.http.protocol import Handler, Limits, Middleware, RawHandler
from hopline.http.router import Found, MethodMissing, Router

if TYPE_CHECKING:
    from hopline.http.engine import Engine

__all__ = ["App", "Dispatcher", "ErrorHandler"]

log = logging.getLogger("hopline.http")
H = TypeVar("H", bound=Handler)
Hook = Callable[[], Awaitable[None]]
ErrorHandler = Callable[[Request, HTTPError], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """A handler, and how it takes its body: whole or as a stream, and up to how many bytes (None: the App's limit)."""

    handler: Handler
    stream: bool = False
    body_size: int | None = None


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
        self.startup: list[Hook] = []
        self.shutdown: list[Hook] = []
        self.engine: Engine | None = None  # set in the worker that serves it; its stats are the figures
        self._router: Router[Route] = Router()
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
                self._router.add(method.upper(), pattern, Route(handler, stream, body_size))
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

    def dispatcher(self) -> "Dispatcher":
        """Compose what was registered into what runs."""
        handler: Handler = _Routes(self._router).handle
        for middleware in reversed(self._middleware):
            handler = middleware(handler)
        errors = sorted(self._error_handlers, key=lambda entry: -len(entry[0]))
        return Dispatcher(self._router, handler, errors)


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
        return found.endpoint.handler(request)


class Dispatcher:
    """Calls the composed handler and turns whatever comes back into a Response, or a coroutine of one."""

    __slots__ = ("_errors", "_handler", "_router", "handler_errors")

    def __init__(self, router: Router[Route], handler: Handler, errors: list[tuple[str, ErrorHandler]]) -> None:
        self._router = router
        self._handler = handler
        self._errors = errors
        self.handler_errors = 0

    def route_of(self, head: Head) -> Route | None:
        """The route that a request with a body is for, before the body is read."""
        found = self._router.match(head.method.decode("ascii"), head.target.partition(b"?")[0])
        return found.endpoint if isinstance(found, Found) else None

    def call(self, request: Request) -> Response | Coroutine[Any, Any, Response]:
        """Answer `request`, or give the coroutine that will. Never raises an Exception."""
        try:
            result = self._handler(request)
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
