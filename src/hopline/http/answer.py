"""From a Response to bytes: the one place where answers are written.

Nothing a handler put into a header can end the head early: names and values are checked before a byte is
sent (RFC 9110 section 5.5), and a bad one is the handler's error, answered with 500.
"""

import re
from collections.abc import AsyncIterable, Awaitable, Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from hopline.http.errors import HTTPServerError
from hopline.http.message import Response

__all__ = ["CONTINUE", "InvalidResponse", "date_line", "encode", "plain", "send_stream", "status_line"]

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_OURS: Final = frozenset(("content-length", "date", "connection", "transfer-encoding"))
_STATUS_LINES: Final = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}


class InvalidResponse(HTTPServerError, ValueError):
    """A handler built an answer that can't be sent."""


def status_line(status: int) -> bytes:
    """The status line of `status`, CRLF included. InvalidResponse where it is not a final status."""
    if not 200 <= status <= 599:
        raise InvalidResponse(f"status {status!r} can't answer a request; use 200 to 599")
    return _STATUS_LINES.get(status) or f"HTTP/1.1 {status} \r\n".encode()


def date_line(seconds: float) -> bytes:
    """The Date field at `seconds` since 1970, CRLF included."""
    return f"date: {formatdate(seconds, usegmt=True)}\r\n".encode()


def encode(response: Response, date: bytes, *, head_only: bool, keep_alive: bool, http_1_0: bool) -> bytes:
    """The whole answer, or its head where the body is a stream. `head_only` leaves the body out and its length in."""
    parts = [status_line(response.status)]
    for name, value in response.headers:
        if _NAME.fullmatch(name) is None or name.lower() in _OURS:
            detail = "use a token, and leave framing to the server"
            raise InvalidResponse(f"header {name!r} can't be set by a handler; {detail}")
        if _VALUE.fullmatch(value) is None:
            raise InvalidResponse(f"header {name!r} has a value with illegal characters: {value[:64]!r}")
        parts.append(f"{name}: {value}\r\n".encode("latin-1"))
    bodiless = response.status in (204, 304)
    if not bodiless:
        parts.append(_framing(response, http_1_0))
    parts.append(date)
    if not keep_alive:
        parts.append(b"connection: close\r\n")
    elif http_1_0:
        parts.append(b"connection: keep-alive\r\n")
    parts.append(b"\r\n")
    if not (head_only or bodiless):
        parts.append(response.body)
    return b"".join(parts)


def _framing(response: Response, http_1_0: bool) -> bytes:
    """How the peer will know where the body ends; an HTTP/1.0 stream of unknown length ends with the connection."""
    if response.stream is None:
        return b"content-length: %d\r\n" % len(response.body)
    if response.length is not None:
        return b"content-length: %d\r\n" % response.length
    return b"" if http_1_0 else b"transfer-encoding: chunked\r\n"


async def send_stream(
    parts: AsyncIterable[bytes],
    length: int | None,
    http_1_0: bool,
    write: Callable[[bytes], None],
    room: Callable[[], Awaitable[None]],
) -> None:
    """The body of a streamed answer, in the framing that `encode` announced; each part once there is room for it.

    InvalidResponse where it turns out longer or shorter than its `length`.
    """
    left = length
    async for part in parts:
        if not part:
            continue  # an empty chunk would be the end
        if left is not None:
            left -= len(part)
            if left < 0:
                raise InvalidResponse(f"a streamed body has more than the {length} bytes it was said to have")
        write(part if left is not None or http_1_0 else b"%x\r\n%b\r\n" % (len(part), part))
        await room()
    if left:
        raise InvalidResponse(f"a streamed body has {left} bytes less than the {length} it was said to have")
    if left is None and not http_1_0:
        write(b"0\r\n\r\n")


def plain(status: int, detail: str, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """An answer in plain words, for errors nobody else shaped."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Error"
    return Response(f"{status} {phrase}\n{detail}\n" if detail else f"{status} {phrase}\n", status, headers=headers)
