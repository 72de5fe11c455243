"""What can go wrong in HTTP, and whose fault it is.

`HTTPError` is raised by handlers: the client asked for something it can't have. `ProtocolError` is found
by the connection: the peer broke the grammar of HTTP, and the connection can't go on after the answer.
"""

from hopline.errors import HoplineError

__all__ = ["HTTPError", "HTTPServerError", "ProtocolError", "RouteError"]


class HTTPServerError(HoplineError):
    """The root of this block's errors."""


class HTTPError(HTTPServerError):
    """Raised by a handler to answer with a status instead of a value.

    `status` is the HTTP status code, `detail` a sentence for the client, `headers` go into the answer.
    """

    def __init__(self, status: int, detail: str = "", headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(f"{status} {detail}".rstrip())
        self.status = status
        self.detail = detail
        self.headers = headers


class ProtocolError(HTTPServerError):
    """The peer broke the protocol; `status` is the answer it gets, `rule` names what was broken."""

    def __init__(self, status: int, rule: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.rule = rule
        self.detail = detail


class RouteError(HTTPServerError, ValueError):
    """A route that can't work: found when it is registered, not when it is called."""
