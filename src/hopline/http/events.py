"""Server-sent events: an answer that goes on, one event after another.

The format is that of https://html.spec.whatwg.org/#server-sent-events. A browser's EventSource reconnects by itself
when the answer ends, and says in Last-Event-ID what it saw last. To make it stop, answer 204.
"""

import asyncio
import json
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from hopline.http.message import Request, Response

__all__ = ["Event", "last_event_id", "sse"]

LOOK: Final = 0.5  # seconds between two looks at whether the server is shutting down
KEEP_ALIVE: Final = b":\n\n"
_HEADERS: Final = (("cache-control", "no-store"), ("x-accel-buffering", "no"))  # the latter for nginx in front


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `data` may have many lines; `retry` is in seconds; ValueError where a field would break the stream."""

    data: str
    event: str | None = None
    id: str | None = None
    retry: float | None = None

    def __post_init__(self) -> None:
        for name in ("event", "id"):
            value = getattr(self, name)
            if value is not None and any(illegal in value for illegal in "\r\n\0"):
                raise ValueError(f"an event's {name} is one line without NUL, not {value[:64]!r}")
        if self.retry is not None and not 0 <= self.retry < 1e9:
            raise ValueError(f"retry is a time in seconds from 0 up, not {self.retry!r}")

    @classmethod
    def json(cls, value: Any, event: str | None = None, id: str | None = None) -> "Event":  # noqa: A002 - its name
        """An event whose data is `value` as JSON."""
        return cls(json.dumps(value, separators=(",", ":"), ensure_ascii=False), event, id)

    def encode(self) -> bytes:
        """The event as it is sent, empty line included."""
        lines = []
        if self.event is not None:
            lines.append(f"event: {self.event}\n")
        if self.id is not None:
            lines.append(f"id: {self.id}\n")
        if self.retry is not None:
            lines.append(f"retry: {round(self.retry * 1000)}\n")
        # CR, LF and CRLF each end a line for the reader; nothing else does, whatever str.splitlines() thinks.
        data = self.data.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        lines.extend(f"data: {line}\n" for line in data)
        return ("".join(lines) + "\n").encode("utf-8", "replace")


def last_event_id(request: Request) -> str | None:
    """The id of the last event that a reconnecting client saw; None at its first connection."""
    sent = request.headers.get("last-event-id")
    return None if sent is None else sent.encode("latin-1").decode("utf-8", "replace")


def sse(request: Request, events: AsyncIterable[Event | str], *, keep_alive: float = 15.0) -> Response:
    """Answer `request` with `events`, a str being an event's data.

    After `keep_alive` seconds without an event a comment is sent, so that proxies don't take the connection for
    dead and a client that has gone is noticed. The answer ends with `events`, or within half a second of the server
    beginning to shut down. However it ends, `events` is closed if it can be: an async generator's `finally` runs. Each
    event is awaited in a task of its own, so a generator must not yield inside `asyncio.timeout()` or a TaskGroup.
    """
    if keep_alive <= 0:
        raise ValueError(f"keep_alive must be more than 0 s, not {keep_alive!r}")
    return Response(_encoded(request, events, keep_alive), content_type="text/event-stream", headers=_HEADERS)


async def _encoded(request: Request, events: AsyncIterable[Event | str], keep_alive: float) -> AsyncIterator[bytes]:
    iterator = aiter(events)
    # The wait is a task, since a time-out that cancelled it would end the generator that it waits for.
    following: asyncio.Task[Event | str] | None = None
    loop = asyncio.get_running_loop()
    sent = loop.time()
    try:
        while not request.shutting_down:
            if following is None:
                following = asyncio.ensure_future(_next(iterator))
            patience = min(LOOK, max(0.0, sent + keep_alive - loop.time()))
            await asyncio.wait([following], timeout=patience)
            if following.done():
                try:
                    event = following.result()
                except StopAsyncIteration:
                    return
                following = None
                yield event.encode() if isinstance(event, Event) else Event(event).encode()
                sent = loop.time()
            elif loop.time() - sent >= keep_alive:
                yield KEEP_ALIVE
                sent = loop.time()
    finally:
        await _close(iterator, following)


async def _next(iterator: AsyncIterator[Event | str]) -> Event | str:
    return await anext(iterator)


async def _close(iterator: AsyncIterator[Event | str], following: "asyncio.Task[Event | str] | None") -> None:
    if following is not None:
        following.cancel()
        await asyncio.wait([following])
        if not following.cancelled():
            following.exception()  # seen: nobody is left to tell
    close = getattr(iterator, "aclose", None)
    if close is not None:
        await close()
