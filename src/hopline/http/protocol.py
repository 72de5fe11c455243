"""What others may rely on: the shapes of handlers, the bounds of a connection, the figures of a worker."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from hopline.http.head import Head
from hopline.http.message import Request, Response

__all__ = ["HTTPStats", "Handler", "Limits", "Middleware", "RawHandler"]

Handler = Callable[[Request], Response | Awaitable[Response]]
"""Answers a request; plain or async. A plain one runs on the event loop and so must not block."""

Middleware = Callable[[Handler], Handler]
"""Wraps a handler in another one; composed once at start-up, the first one used being the outermost."""

RawHandler = Callable[[Head], bytes | None]
"""Answers from the bytes of a head, without a body: status line and fields, each ended by CRLF.

The server adds Date, Connection and the empty line. None passes the request on to the routes.
It sees GET and HEAD requests without a body only, must not block and must not keep the Head.
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one connection; sizes in bytes, times in seconds. Each breach has its status."""

    head_size: int = 32_768  # 431
    head_fields: int = 100  # 431
    target_size: int = 16_384  # 414
    body_size: int = 1_048_576  # 413
    head_timeout: float = 10.0  # 408: from the first byte of a head to its end
    body_timeout: float = 30.0  # 408: from the end of the head to the end of the body
    idle_timeout: float = 75.0  # closed without an answer: nothing was asked
    write_timeout: float = 60.0  # cut: without a single byte of an answer being taken
    connections: int = 20_000  # a worker's; 503 and closed beyond
    write_buffer: int = 65_536  # unsent bytes at which a connection's input waits

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be more than 0, not {getattr(self, name)!r}")


@dataclass(frozen=True, slots=True)
class HTTPStats:
    """Figures of one worker; additive over workers."""

    connections: int = field(metadata={"kind": "gauge", "help": "Connections open now"})
    accepted: int = field(metadata={"help": "Connections accepted"})
    requests: int = field(metadata={"help": "Requests answered by routes"})
    raw_requests: int = field(metadata={"help": "Requests answered by raw routes"})
    handler_errors: int = field(metadata={"help": "Exceptions that left a handler, answered 500"})
    protocol_errors: int = field(metadata={"help": "Requests refused for breaking the protocol or a limit"})
    timeouts: int = field(metadata={"help": "Connections closed for being idle or slow"})
    refused: int = field(metadata={"help": "Connections refused at the limit of connections"})
