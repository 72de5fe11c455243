"""Who a request is from, and what they may do.

The API takes a key in `Authorization: Bearer …` or `X-API-Key`, and no cookies, so no other site can use it through
a visitor's browser. People sign in to the dashboard with the same keys and get a session cookie (see sessions.py).
Nothing is remembered from one request to the next: a revoked key, and every session of it, ends at once.
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from math import ceil
from typing import Final

from hopline.clock import Clock, SystemClock
from hopline.http import Handler, HTTPError, Middleware, Request, Response
from hopline.shortener.access.attempts import Attempts
from hopline.shortener.access.keys import ApiKeys, KeyInfo
from hopline.shortener.access.sessions import SESSION_SECONDS, SessionSigner, SessionToken
from hopline.shortener.links.link import StoreUnavailable

__all__ = ["SESSION_COOKIE", "Access", "Session", "check_role", "session_cookie"]

SESSION_COOKIE: Final = "hopline_session"
_CHALLENGE: Final = 'Bearer realm="hopline"'


@dataclass(frozen=True, slots=True)
class Session:
    """A visitor who is signed in. `token` goes into the cookie, `form_token` into forms, which `nonce` checks."""

    key: KeyInfo
    token: str
    nonce: str
    form_token: str


class Access:
    """Keys and sessions of requests. Belongs to one event loop, on which it reads the keys (some 10 µs a look-up)."""

    def __init__(self, keys: ApiKeys, signer: SessionSigner, clock: Clock | None = None) -> None:
        self._keys = keys
        self._attempts = Attempts(clock or SystemClock())
        self.signer = signer

    def authenticate(self, request: Request) -> KeyInfo:
        """The key that `request` carries. HTTPError 401 without a valid one, 503 while keys can't be read."""
        secret = _secret(request)
        if not secret:
            detail = "this needs an API key; send it as Authorization: Bearer … or X-API-Key"
            raise HTTPError(401, detail, (("www-authenticate", _CHALLENGE),))
        key = self._verified(secret)
        if key is None:
            challenge = f'{_CHALLENGE}, error="invalid_token"'
            raise HTTPError(401, "no such API key; it may have been revoked", (("www-authenticate", challenge),))
        return key

    def require(self, role: str) -> Middleware:
        """Middleware that lets keys with at least `role` pass; HTTPError 403 for others.

        The key is then in `request.state["key"]`.
        """

        def wrap(handler: Handler) -> Handler:
            def allowed(request: Request) -> Response | Awaitable[Response]:
                key = self.authenticate(request)
                check_role(key, role)
                request.state["key"] = key
                return handler(request)

            return allowed

        return wrap

    def sign_in(self, secret: str, address: str) -> Session | None:
        """A new session; None for a wrong key. HTTPError 429 after too many of those from `address`, 503."""
        wait = self._attempts.wait(address)
        if wait > 0:
            raise HTTPError(429, "too many wrong keys; wait a minute", (("retry-after", str(ceil(wait))),))
        key = self._verified(secret)
        if key is None:
            self._attempts.failed(address)
            return None
        said = SessionToken(key.id, self.signer.new_binding())
        return self._session(key, self.signer.sign(said), said)

    def session(self, request: Request) -> Session | None:
        """The session `request` belongs to: signed by us, in its time, its key still valid. HTTPError 503."""
        token = request.cookies.get(SESSION_COOKIE, "")
        said = self.signer.read(token)
        if said is None:
            return None
        try:
            key = self._keys.get(said.key_id)
        except StoreUnavailable as error:
            raise _unavailable(error) from error
        return None if key is None else self._session(key, token, said)

    def _session(self, key: KeyInfo, token: str, said: SessionToken) -> Session:
        return Session(key, token, said.nonce, self.signer.form_token(said.nonce))

    def _verified(self, secret: str) -> KeyInfo | None:
        try:
            return self._keys.verify(secret)
        except StoreUnavailable as error:
            raise _unavailable(error) from error


def check_role(key: KeyInfo, role: str) -> None:
    """HTTPError 403 where `key` doesn't allow what `role` allows."""
    if not key.may(role):
        raise HTTPError(403, f"this needs a key with the role {str(role)!r}; {key.name!r} has {key.role.value!r}")


def session_cookie(token: str, *, secure: bool, path: str = "/dashboard") -> str:
    """The value of a Set-Cookie field that keeps `token`; "" takes the cookie back.

    Lax, not Strict: a link in a mail to a page of the dashboard then finds its reader signed in, and nothing that
    changes anything is a GET. `secure` wherever the public address is https.
    """
    age = SESSION_SECONDS if token else 0
    flags = "; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")
    return f"{SESSION_COOKIE}={token}; Max-Age={age}; Path={path}{flags}"


def _secret(request: Request) -> str:
    """The secret in the request's head; a Bearer token before X-API-Key, "" where there is neither."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    return request.headers.get("x-api-key", "")


def _unavailable(error: StoreUnavailable) -> HTTPError:
    detail = "API keys can't be checked right now; try again in a moment"
    return HTTPError(503, detail, (("retry-after", str(error.retry_after)),))
