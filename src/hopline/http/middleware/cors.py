"""Cross-origin resource sharing: which other sites' scripts may read answers (https://fetch.spec.whatwg.org/).

This opens what browsers keep closed; it keeps nobody out. Who may ask at all is for a guard to decide.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from hopline.http.errors import HTTPError
from hopline.http.fields import add_vary, is_token
from hopline.http.message import Request, Response
from hopline.http.middleware.composing import Answer, then
from hopline.http.protocol import Handler, Middleware

__all__ = ["cors"]

_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?")
ASKS_METHOD: Final = "access-control-request-method"
ASKS_HEADERS: Final = "access-control-request-headers"


@dataclass(frozen=True, slots=True)
class _Policy:
    """The settings, checked."""

    origins: frozenset[str] | None  # None: all
    credentials: bool
    methods: str
    headers: str | None  # None: whatever is asked for
    exposed: str
    max_age: int

    def allow(self, origin: str) -> list[tuple[str, str]] | None:
        """The fields that let `origin` read an answer; None where it may not."""
        if self.origins is None:
            return [("access-control-allow-origin", "*")]
        if origin not in self.origins:
            return None
        fields = [("access-control-allow-origin", origin)]
        if self.credentials:
            fields.append(("access-control-allow-credentials", "true"))
        return fields

    def preflight(self, request: Request, origin: str) -> Response:
        """The answer to the question a browser asks before it sends the request itself."""
        fields = self.allow(origin)
        if fields is None:
            raise HTTPError(403, "this origin may not use these resources", (("vary", "origin"),))
        asked = [name.strip() for name in request.headers.get(ASKS_HEADERS, "").split(",")]
        allowed = self.headers if self.headers is not None else ", ".join(filter(is_token, asked))
        fields.append(("access-control-allow-methods", self.methods))
        if allowed:
            fields.append(("access-control-allow-headers", allowed))
        fields.append(("access-control-max-age", str(self.max_age)))
        response = Response(b"", 204, headers=fields)
        add_vary(response, "origin", ASKS_METHOD, ASKS_HEADERS)
        return response

    def mark(self, response: Response, origin: str | None) -> Response:
        """Add to an answer what lets `origin` read it. Every answer varies, also one to no origin, for caches."""
        if self.origins is not None:
            add_vary(response, "origin")
        fields = self.allow(origin) if origin is not None else None
        if fields is not None:
            response.headers.extend(fields)
            if self.exposed:
                response.headers.append(("access-control-expose-headers", self.exposed))
        return response


def cors(
    origins: Iterable[str] | str,
    *,
    credentials: bool = False,
    methods: Iterable[str] = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
    headers: Iterable[str] | str = (),
    expose: Iterable[str] = (),
    max_age: int = 600,
) -> Middleware:
    """Let scripts of `origins` read answers: exact ones as in "https://app.example", or "*" for all.

    `credentials` allows requests with cookies; never together with "*", which would hand every site what a
    signed-in user sees. `headers` are request fields scripts may set ("*": any), `expose` answer fields
    they may read, `max_age` the seconds a browser may remember the permission. Preflights are answered here.
    """
    every = origins == "*"
    if every and credentials:
        raise ValueError('origins "*" can\'t go with credentials; name the origins that may send cookies')
    policy = _Policy(
        origins=None if every else frozenset(_checked(origins)),
        credentials=credentials,
        methods=_joined(methods, "method"),
        headers=None if headers == "*" else _joined(headers, "header"),
        exposed=_joined(expose, "header"),
        max_age=max_age,
    )

    def wrap(handler: Handler) -> Handler:
        def handle(request: Request) -> Answer:
            origin = request.head().get(b"\r\norigin:").decode("latin-1") or None
            if request.method == "OPTIONS" and origin is not None and ASKS_METHOD in request.headers:
                return policy.preflight(request, origin)
            return then(handler(request), lambda response: policy.mark(response, origin))

        return handle

    return wrap


def _checked(origins: Iterable[str] | str) -> Iterable[str]:
    for origin in (origins,) if isinstance(origins, str) else origins:
        if _ORIGIN.fullmatch(origin) is None:
            raise ValueError(
                f"origin {origin!r} is not one as browsers send it; use scheme://host or scheme://host:port, "
                'in lower case and without a path, or "*" alone'
            )
        yield origin


def _joined(names: Iterable[str] | str, kind: str) -> str:
    listed = (names,) if isinstance(names, str) else tuple(names)
    for name in listed:
        if not is_token(name):
            raise ValueError(f"{name!r} is not the name of a {kind}")
    return ", ".join(listed)
