"""A name for every request, to find it again in the logs of all it passed through."""

import re
import secrets
from collections.abc import Callable
from typing import Final

from hopline.http.fields import is_token
from hopline.http.message import Request, Response
from hopline.http.middleware.composing import Answer, then
from hopline.http.protocol import Handler, Middleware

__all__ = ["request_id"]

_SAFE: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")  # nothing that means anything in a log, a shell or a page


def _new_id() -> str:
    return secrets.token_hex(16)


def request_id(*, header: str = "x-request-id", accept: bool = True, make: Callable[[], str] = _new_id) -> Middleware:
    """Name each request in `request.state["request_id"]` and in the answer's field `header`.

    A name that came with the request is kept where `accept` is true and it is 1 to 128 letters, digits, ".", "_" or
    "-"; otherwise `make()` gives one (128 random bits in hex).
    """
    if not is_token(header):
        raise ValueError(f"header {header!r} is not a field name; use letters, digits and '-'")
    name = header.lower()
    needle = f"\r\n{name}:".encode()  # most requests bring none: looking for it is cheaper than reading all fields

    def wrap(handler: Handler) -> Handler:
        def handle(request: Request) -> Answer:
            sent = request.head().get(needle).decode("latin-1") if accept else ""
            identity = sent if _SAFE.fullmatch(sent) else make()
            request.state["request_id"] = identity

            def add(response: Response) -> Response:
                response.headers.append((name, identity))
                return response

            return then(handler(request), add)

        return handle

    return wrap
