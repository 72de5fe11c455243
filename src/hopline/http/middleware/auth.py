"""Guards: only who knows a secret gets through (RFC 7617 Basic, RFC 6750 Bearer).

A guard is a middleware, for a whole App or around one handler: `app.get("/figures")(bearer_auth(tokens)(figures))`.
Both schemes send the secret itself: use them over TLS only.
"""

import binascii
import hmac
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterable, Mapping

from hopline.http.errors import HTTPError
from hopline.http.message import Request, Response
from hopline.http.middleware.composing import Answer
from hopline.http.protocol import Handler, Middleware

__all__ = ["basic_auth", "bearer_auth"]

User = str | None
Check = Callable[[Request], User | Awaitable[User]]


def basic_auth(
    users: Mapping[str, str] | Callable[[str, str], User | Awaitable[User]], *, realm: str = "restricted"
) -> Middleware:
    """Ask for a name and a password; `request.state["user"]` is who came in.

    `users` maps names to passwords, or is a function, plain or async, of a name and a password that answers who
    this is, or None. Stored passwords should be hashed: compare them in a function of your own.
    """
    find = users if callable(users) else _PasswordTable(users).find

    def check(request: Request) -> User | Awaitable[User]:
        given = _credentials(request, "basic")
        pair = _decoded(given) if given else None
        return None if pair is None else find(*pair)

    return _guard(check, f'Basic realm={_quoted(realm)}, charset="UTF-8"', "a name and a password are needed here")


def bearer_auth(
    tokens: Iterable[str] | Mapping[str, str] | Callable[[str], User | Awaitable[User]], *, realm: str = "restricted"
) -> Middleware:
    """Ask for a token; `request.state["user"]` is whose it is.

    `tokens` are the valid ones, or map each to its owner, or are a function, plain or async, of a token that
    answers whose it is, or None. Every listed token is compared: for more than some dozens use a function.
    """
    find = tokens if callable(tokens) else _TokenTable(tokens).find

    def check(request: Request) -> User | Awaitable[User]:
        token = _credentials(request, "bearer")
        return find(token) if token else None

    return _guard(check, f"Bearer realm={_quoted(realm)}", "a valid token is needed here")


class _PasswordTable:
    """Names and passwords; an unknown name takes as long as a wrong password."""

    def __init__(self, users: Mapping[str, str]) -> None:
        self._users = {name: password.encode() for name, password in users.items()}

    def find(self, name: str, password: str) -> User:
        known = self._users.get(name)
        given = password.encode()
        same = hmac.compare_digest(given if known is None else known, given)
        return name if same and known is not None else None


class _TokenTable:
    """Tokens and their owners, all compared each time, so that the time says nothing of any."""

    def __init__(self, tokens: Iterable[str] | Mapping[str, str]) -> None:
        if isinstance(tokens, str):
            raise TypeError("tokens must be a list of tokens, not one text: put it in brackets")
        owners = tokens.items() if isinstance(tokens, Mapping) else ((token, "token") for token in tokens)
        self._owners = [(token.encode(), owner) for token, owner in owners]
        if not all(token for token, _ in self._owners):
            raise ValueError("an empty token would let everybody in; take it out")

    def find(self, token: str) -> User:
        given = token.encode()
        found: User = None
        for known, owner in self._owners:
            if hmac.compare_digest(known, given):
                found = owner
        return found


def _guard(check: Check, challenge: str, detail: str) -> Middleware:
    def let_in(handler: Handler, request: Request, user: User) -> Answer:
        if user is None:
            raise HTTPError(401, detail, (("www-authenticate", challenge),))
        request.state["user"] = user
        return handler(request)

    def wrap(handler: Handler) -> Handler:
        async def later(request: Request, pending: Awaitable[User]) -> Response:
            answer = let_in(handler, request, await pending)
            return answer if isinstance(answer, Response) else await answer

        def handle(request: Request) -> Answer:
            user = check(request)
            if user is None or isinstance(user, str):
                return let_in(handler, request, user)
            return later(request, user)

        return handle

    return wrap


def _credentials(request: Request, scheme: str) -> str | None:
    """What follows `scheme` in the one Authorization field; None where there is none of it."""
    sent = request.headers.getall("authorization")
    if len(sent) != 1:
        return None
    named, _, rest = sent[0].partition(" ")
    return rest.strip(" ") if named.lower() == scheme else None


def _decoded(credentials: str) -> tuple[str, str] | None:
    try:
        name, colon, password = b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return (name, password) if colon else None


def _quoted(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        raise ValueError(f"realm {text!r} must be printable ASCII")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
