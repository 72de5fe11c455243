"""What others may rely on: the shapes of handlers, the bounds of a connection, the figures of a worker."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from hopline._histogram import Distribution
from hopline.http.head import Head
from hopline.http.limits import Limits
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
    used: int = field(metadata={"help": "Connections on which a request was read"})
    in_flight: int = field(metadata={"kind": "gauge", "help": "Requests whose answer is being made or sent"})
    bytes_in: int = field(metadata={"help": "Bytes received"})
    bytes_out: int = field(metadata={"help": "Bytes of answers handed to the system"})
    loop_lag: Distribution = field(metadata={"help": "How late the event loop's one-second tick was"})

    @property
    def requests_per_connection(self) -> float:
        """What keep-alive saves: requests for each connection that carried any; 0.0 before the first."""
        return (self.requests + self.raw_requests) / self.used if self.used else 0.0

    @property
    def reuse_ratio(self) -> float:
        """The share of requests that came on a connection already used, 0.0 to 1.0."""
        requests = self.requests + self.raw_requests
        return max(0.0, 1 - self.used / requests) if requests else 0.0

    @property
    def max_loop_lag(self) -> float:
        """Seconds of the latest tick so far, at most a sixteenth too many."""
        return self.loop_lag.quantile(1.0)
