"""Who is looking at a page, what they may do there, and whether a form was one of ours.

A thin layer over `hopline.shortener.access`, in the words of pages: a visitor, a form, a cookie to set. Forms of
someone who is signed in are bound to their session; the form that signs in is bound to a random cookie instead,
so that no other site can sign a visitor in with a key of its own.
"""

import re
from dataclasses import dataclass
from typing import Final

from hopline.http import HTTPError, Request
from hopline.shortener.access import Access, Role, Session, check_role, session_cookie

__all__ = ["Sessions", "Visitor"]

_BINDING_COOKIE: Final = "hopline_form"
_BINDING: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")
_NOT_OURS: Final = "This form is out of date: open the page again, and send it from there."


@dataclass(frozen=True, slots=True)
class Visitor:
    """Someone who is signed in, as far as pages need to know. `csrf` goes into every form shown to them."""

    name: str
    role: str
    can_edit: bool
    csrf: str


class Sessions:
    """Sessions of the dashboard. Belongs to one event loop, on which it reads the keys, as Access does."""

    def __init__(self, access: Access, *, secure: bool) -> None:
        self._access = access
        self._secure = secure

    def visitor(self, request: Request) -> Visitor:
        """Whoever sent `request`. HTTPError 401 where nobody is signed in."""
        return _visitor(self._session(request))

    def editor(self, request: Request) -> Visitor:
        """The same, if they may change links. HTTPError 401, 403."""
        session = self._session(request)
        check_role(session.key, Role.EDITOR)
        return _visitor(session)

    def form(self, request: Request) -> dict[str, str]:
        """The fields of a form that was shown to whoever sent it. HTTPError 401, 403."""
        session = self._session(request)
        fields = request.form()
        if not self._access.signer.is_ours(session.nonce, fields.get("csrf", "")):
            raise HTTPError(403, _NOT_OURS)
        return fields

    def editor_form(self, request: Request) -> tuple[Visitor, dict[str, str]]:
        """`editor` and `form` at once: what a handler needs that changes a link."""
        return self.editor(request), self.form(request)

    def sign_in(self, request: Request, key: str) -> str | None:
        """The cookie of a new session; None for a wrong key. HTTPError 429 after many of those, 503."""
        address = request.peer[0] if request.peer else ""
        session = self._access.sign_in(key, address)
        return None if session is None else session_cookie(session.token, secure=self._secure)

    def sign_out(self) -> str:
        """The cookie that ends a session."""
        return session_cookie("", secure=self._secure)

    def sign_in_token(self, request: Request) -> tuple[str, str]:
        """For the form that signs in: its token, and the cookie it is bound to, kept where there is one already."""
        known = request.cookies.get(_BINDING_COOKIE, "")
        binding = known if _BINDING.fullmatch(known) else self._access.signer.new_binding()
        flags = "; HttpOnly; SameSite=Strict" + ("; Secure" if self._secure else "")
        cookie = f"{_BINDING_COOKIE}={binding}; Path=/dashboard/sign-in{flags}"
        return self._access.signer.form_token(binding), cookie

    def is_sign_in_form(self, request: Request, fields: dict[str, str]) -> bool:
        """Whether the form that signs in was shown to whoever sent it."""
        binding = request.cookies.get(_BINDING_COOKIE, "")
        return self._access.signer.is_ours(binding, fields.get("csrf", ""))

    def _session(self, request: Request) -> Session:
        session = self._access.session(request)
        if session is None:
            raise HTTPError(401, "sign in first")
        return session


def _visitor(session: Session) -> Visitor:
    key = session.key
    return Visitor(key.name, key.role.value, key.may(Role.EDITOR), session.form_token)
