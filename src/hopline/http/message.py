"""Requests and responses, as handlers see them.

A `Request` is a view of the bytes of its head: nothing is decoded, split or lowered until someone asks for
it, and what was asked for is remembered. Text is ISO-8859-1 for header values (RFC 9110 section 5.5) and
percent-decoded UTF-8 for paths and queries.
"""

import json
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from hopline.http.errors import HTTPError
from hopline.http.head import Head
from hopline.http.streams import BodyStream

__all__ = ["Headers", "Request", "Response", "Text"]

Text = str | bytes
MAX_FIELDS = 1000  # in a query or form; past it parse_qsl refuses, and the client reads 400


class Headers(Mapping[str, str]):
    """Header fields by case-insensitive name; repeated fields are joined by ", ". Immutable."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Iterable[tuple[str, str]]) -> None:
        self._fields: dict[str, list[str]] = {}
        for name, value in fields:
            self._fields.setdefault(name.lower(), []).append(value)

    def __getitem__(self, name: str) -> str:
        return ", ".join(self._fields[name.lower()])

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def getall(self, name: str) -> list[str]:
        """Every value of `name`, in order, unjoined; [] where there is none."""
        return list(self._fields.get(name.lower(), ()))

    def __repr__(self) -> str:
        return f"Headers({self._fields!r})"


class Request:
    """One request with its whole body. Belongs to one handler call at a time; not thread-safe.

    `params` holds the route's parameters, already converted to their types; `state` is for middleware to
    hand values on; `peer` is the other end of the connection, (host, port), or None on a Unix socket. On a route
    that streams, `body` is empty and `stream()` gives the parts as they arrive.
    """

    route = ""  # the pattern of the route that answers, once it is found
    began = 0.0  # when the application was called, by time.perf_counter()

    def __init__(self, head: Head, body: bytes = b"", stream: BodyStream | None = None) -> None:
        self.method = head.method.decode("ascii")
        self.target = head.target
        self.body = body
        self.params: dict[str, Any] = {}
        self.state: dict[str, Any] = {}
        self.peer = head.connection.peer
        # Bytes are kept, not the Head: the connection uses one Head for all its requests.
        self._raw = head.raw
        self.connection = head.connection
        self._stream = stream

    async def stream(self) -> AsyncIterator[bytes]:
        """The body in parts, once, as they arrive; on a route that doesn't stream it is one part.

        A handler that reads slowly slows its peer down. ClientGone where the peer leaves or stalls.
        """
        if self._stream is not None:
            async for part in self._stream:
                yield part
        elif self.body:
            yield self.body

    async def read(self) -> bytes:
        """The whole body, also on a route that streams. ClientGone as for `stream`."""
        if self._stream is not None:
            self.body = b"".join([part async for part in self._stream])
            self._stream = None
        return self.body

    @property
    def disconnected(self) -> bool:
        """Whether the peer has gone, so that nobody will read the answer."""
        return self.connection.gone

    @property
    def shutting_down(self) -> bool:
        """Whether the server is draining: a long answer should come to its end."""
        return self.connection.draining()

    def head(self) -> Head:
        """The head as bytes, as a raw route would have seen it."""
        head = Head(self.connection)
        head.raw = self._raw
        head.lowered = self._raw.lower()
        head.method = self.method.encode("ascii")
        head.target = self.target
        return head

    @cached_property
    def headers(self) -> Headers:
        """All header fields."""
        lines = self._raw[:-4].split(b"\r\n")[1:]
        split = (line.decode("latin-1").partition(":") for line in lines)
        return Headers((name, value.strip(" \t")) for name, _, value in split)

    @cached_property
    def scheme(self) -> str:
        """The word "http" or "https", as the connection is; middleware may say what a proxy in front was asked for."""
        return self.connection.scheme

    @cached_property
    def host(self) -> str:
        """The host, and port, that was asked for; "" if an old client did not say."""
        return self.headers.get("host", "")

    @property
    def raw_path(self) -> bytes:
        """The target up to the query, still percent-encoded."""
        return self.target.partition(b"?")[0]

    @cached_property
    def path(self) -> str:
        """The path, percent-decoded as UTF-8 (undecodable bytes become U+FFFD)."""
        return unquote_to_bytes(self.raw_path).decode("utf-8", "replace")

    @cached_property
    def query(self) -> dict[str, str]:
        """Query parameters, percent-decoded; of a repeated one the last. HTTPError 400 over 1,000 of them."""
        return _fields(self.target.partition(b"?")[2], "query")

    @cached_property
    def cookies(self) -> dict[str, str]:
        """Cookies by name; of a repeated one the first, as the most specific comes first (RFC 6265 5.4)."""
        found: dict[str, str] = {}
        for line in self.headers.getall("cookie"):
            for pair in line.split(";"):
                name, equals, value = pair.strip().partition("=")
                if equals:
                    found.setdefault(name, value.strip('"'))
        return found

    def json(self) -> Any:
        """The body as JSON. HTTPError 400 where it is not."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise HTTPError(400, f"the body is not valid JSON: {error}") from error

    def form(self) -> dict[str, str]:
        """An urlencoded form; of a repeated field the last. HTTPError 400 over 1,000 fields, 415 for another type."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            raise HTTPError(415, "a form must be sent as application/x-www-form-urlencoded")
        return _fields(self.body, "form")

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.target!r}>"


def _fields(raw: bytes, place: str) -> dict[str, str]:
    try:
        return dict(
            parse_qsl(raw.decode("latin-1"), keep_blank_values=True, errors="replace", max_num_fields=MAX_FIELDS)
        )
    except ValueError as error:
        raise HTTPError(400, f"the {place} has too many fields: at most {MAX_FIELDS} are read") from error


class Response:
    """One answer: status, header fields, body. Plain data; a handler may build and change it freely.

    Content-Length, Transfer-Encoding, Date and Connection are the server's to write. `headers` is a list of (name,
    value) pairs, so that a field may stand more than once (Set-Cookie). A body may be an async iterable of bytes: it is
    sent as it comes, at the pace of the reader, in chunks unless `length` says how many bytes it has.
    """

    __slots__ = ("body", "headers", "length", "status", "stream")

    def __init__(
        self,
        body: Text | AsyncIterable[bytes] = b"",
        status: int = 200,
        *,
        content_type: str | None = None,
        headers: Iterable[tuple[str, str]] = (),
        length: int | None = None,
    ) -> None:
        if isinstance(body, str):
            content_type = content_type or "text/plain; charset=utf-8"
            body = body.encode()
        self.stream: AsyncIterable[bytes] | None = None if isinstance(body, bytes) else body
        self.body = body if isinstance(body, bytes) else b""
        self.status = status
        self.headers = list(headers)
        self.length = length
        if content_type is not None:
            self.headers.append(("content-type", content_type))

    @classmethod
    def json(cls, value: Any, status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> "Response":
        """`value` as JSON."""
        body = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
        return cls(body, status, content_type="application/json", headers=headers)

    @classmethod
    def html(cls, page: str, status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> "Response":
        """A page of HTML."""
        return cls(page.encode(), status, content_type="text/html; charset=utf-8", headers=headers)

    @classmethod
    def redirect(cls, location: str, status: int = 303) -> "Response":
        """Send the client elsewhere; `location` must already be a valid URI reference."""
        return cls(b"", status, headers=(("location", location),))

    def __repr__(self) -> str:
        return f"<Response {self.status} {len(self.body)} bytes>"
