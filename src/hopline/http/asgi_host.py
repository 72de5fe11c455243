"""ASGI 3 applications on this engine, by `app.mount(prefix, application)` or `host(application)`.

An application is stepped where a handler would be. Most send their whole answer before they ever wait: that answer
leaves as a plain Response, without a task or a stream. What waits goes on in a task of its own, which outlives its
answer (background work) and its client (it learns of it by `http.disconnect`, and by ClientGone from `send`).
"""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from hopline.http.asgi_cycle import Cycle
from hopline.http.asgi_lifespan import Lifespan
from hopline.http.message import Request, Response
from hopline.http.stepping import start

__all__ = ["ASGIApp", "Hosted", "Message", "Receive", "Scope", "Send", "mounted"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger("hopline.http")
NO_LIMIT: Final = sys.maxsize
BACKGROUND_TIMEOUT: Final = 2.0  # seconds that work behind answers gets at a stop, before it is cancelled


def mounted(prefix: bytes, raw_path: bytes) -> bool:
    """Whether `raw_path` is `prefix` or below it. Its segments are decoded one by one, as the router does."""
    if raw_path.startswith(prefix):
        return len(raw_path) == len(prefix) or raw_path[len(prefix)] == 47 or not prefix
    if b"%" not in raw_path:
        return False
    wanted = prefix.split(b"/")
    return [unquote_to_bytes(piece) for piece in raw_path.split(b"/")[: len(wanted)]] == wanted


class Hosted:
    """One ASGI application under `prefix` of an App. `handle` is its handler; lives on the worker's loop."""

    def __init__(self, application: ASGIApp, prefix: str) -> None:
        self.lifespan = Lifespan(application)
        self._application = application
        self._root_path = prefix
        self._tasks: set[asyncio.Task[None]] = set()

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        """Run the application for `request`: its answer, or an awaitable of it where it waits for something."""
        cycle = Cycle(request)
        loop = asyncio.get_running_loop()
        scope = _scope(request, self._root_path, self.lifespan.state)
        task = _step(self._run(cycle, scope), loop)
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return cycle.answer() if cycle.answered else cycle.wait()

    async def _run(self, cycle: Cycle, scope: Scope) -> None:
        try:
            await self._application(scope, cycle.receive, cycle.send)
        except Exception as error:  # noqa: BLE001 - an application may raise anything; the cycle knows what it means
            cycle.ended(error)
        except BaseException:
            cycle.ended(None)  # cancelled at a stop
            raise
        else:
            cycle.ended(None)

    async def shutdown(self) -> None:
        """Let what still works behind answers end, then say so to the application."""
        tasks = set(self._tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=BACKGROUND_TIMEOUT)
            for task in late:
                task.cancel()
            if late:
                log.warning("%d ASGI calls did not end in %.1f s and were cancelled", len(late), BACKGROUND_TIMEOUT)
                await asyncio.wait(late, timeout=1.0)
        await self.lifespan.shutdown()


def _step(coroutine: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> "asyncio.Task[None] | None":
    """`start`, also where a task is current: middleware that awaits calls its handler from one."""
    current = asyncio.current_task(loop)
    if current is None:
        return start(coroutine, loop)
    asyncio.tasks._leave_task(loop, current)
    try:
        return start(coroutine, loop)
    finally:
        asyncio.tasks._enter_task(loop, current)


def _scope(request: Request, root_path: str, state: dict[str, Any]) -> Scope:
    head = request._raw
    lines = head[:-4].split(b"\r\n")
    headers = []
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        headers.append((name.lower(), value.strip(b" \t")))
    raw_path, _, query = request.target.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.0" if lines[0].endswith(b"1.0") else "1.1",
        "method": request.method,
        "scheme": request.connection.scheme,
        "path": request.path if b"%" in raw_path else raw_path.decode("utf-8", "replace"),
        "raw_path": raw_path,
        "query_string": query,
        "root_path": root_path,
        "headers": headers,
        "client": request.peer,
        "server": request.connection.local,
        "state": state.copy(),
    }
