"""Refusals as problem+json (RFC 9457): what is wrong, at which field, and what to do about it.

`type` is a URN that stays: programs may switch on it. `detail` is for people and may be reworded. A handler raises
a Problem, or one of the errors the service raises, or a plain HTTPError; `problem_answer` is what shapes them all.
"""

import logging
from collections.abc import Awaitable
from typing import Any, Final

import msgspec

from hopline.http import Handler, HTTPError, Request, Response
from hopline.shortener.links.link import InvalidLink, StoreUnavailable
from hopline.shortener.links.service import CodeConflict

__all__ = ["NO_STORE", "Problem", "invalid", "no_link", "problem_answer", "problem_body", "problem_of", "reporting"]

log = logging.getLogger("hopline.api")

NO_STORE: Final = ("cache-control", "no-store")  # answers belong to whoever holds the key
_URN: Final = "urn:hopline:problem:"
_KINDS: Final = {  # by status: the type, and its title
    400: ("malformed", "The request can't be read"),
    401: ("unauthorized", "An API key is needed"),
    403: ("forbidden", "This key may not do that"),
    404: ("not-found", "There is nothing here"),
    405: ("method-not-allowed", "This can't be done here"),
    409: ("code-taken", "This code is taken"),
    413: ("too-large", "The body is too large"),
    415: ("unsupported-media-type", "The body must be JSON"),
    422: ("invalid", "A value can't be accepted"),
    429: ("too-many-requests", "Too many requests"),
    500: ("internal-error", "Something went wrong here"),
    503: ("unavailable", "This can't be done right now"),
}
_NO_LINK: Final = ("link-not-found", "There is no such link")


class Problem(HTTPError):
    """A refusal that names the `field` at fault, where there is one; `kind` is its type and title."""

    def __init__(
        self, status: int, detail: str, field: str | None = None, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(status, detail, headers)
        self.field = field
        self.kind = _KINDS[status]


def invalid(field: str, detail: str) -> Problem:
    """422: what was sent can be read, but `field` can't be accepted."""
    return Problem(422, detail, field)


def no_link(code: str) -> Problem:
    """404 for a code without a link; its type tells it from an address without a resource."""
    problem = Problem(404, f"there is no link with the code {code!r}")
    problem.kind = _NO_LINK
    return problem


def problem_of(error: InvalidLink | CodeConflict) -> Problem:
    """What the service refused, as the client reads it."""
    if isinstance(error, CodeConflict):
        return Problem(409, str(error), "custom_code")
    return invalid(error.field, error.reason)


def problem_body(error: HTTPError) -> dict[str, Any]:
    """The members of the problem document of `error`."""
    unknown = (f"http-{error.status}", "This can't be done")
    kind, title = error.kind if isinstance(error, Problem) else _KINDS.get(error.status, unknown)
    body: dict[str, Any] = {"type": _URN + kind, "title": title, "status": error.status, "detail": error.detail}
    if isinstance(error, Problem) and error.field is not None:
        body["field"] = error.field
    return body


def problem_answer(request: Request, error: HTTPError) -> Response:
    """The answer for `error`. An ErrorHandler for everything below /api."""
    body = msgspec.json.encode(problem_body(error))
    headers = (NO_STORE, *error.headers)
    return Response(body, error.status, content_type="application/problem+json", headers=headers)


def reporting(handler: Handler) -> Handler:
    """Middleware that turns what the service raises into the Problem its client reads."""

    async def reported(request: Request) -> Response:
        try:
            result = handler(request)
            return await result if isinstance(result, Awaitable) else result
        except (InvalidLink, CodeConflict) as error:
            raise problem_of(error) from error
        except StoreUnavailable as error:
            log.warning("%s %s answered 503: %s", request.method, request.path, error)
            detail = "the links can't be reached right now, and nothing was changed; try again in a moment"
            raise Problem(503, detail, headers=(("retry-after", str(error.retry_after)),)) from error

    return reported
