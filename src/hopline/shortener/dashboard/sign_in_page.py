"""Signing in with an API key, and out again."""

import re
from typing import Final

from hopline.http import HTTPError, Request, Response
from hopline.shortener.dashboard.context import Context
from hopline.shortener.dashboard.forms import LinkForm

__all__ = ["SignInPage"]

# Only paths of the dashboard, so that a prepared sign-in address can't send anyone elsewhere afterwards.
_NEXT: Final = re.compile(r"/dashboard(?:[/?][!-\[\]-~]*)?")
_HOME: Final = "/dashboard"


class SignInPage:
    """Handlers of /dashboard/sign-in and /dashboard/sign-out."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def show(self, request: Request) -> Response:
        """GET /dashboard/sign-in: ask for the key."""
        return self._page(request, request.query.get("next", ""))

    async def sign_in(self, request: Request) -> Response:
        """POST /dashboard/sign-in: check the key, give the session cookie."""
        fields = request.form()
        next_page = fields.get("next", "")
        if not self._context.sessions.is_sign_in_form(request, fields):
            reason = "This page was out of date, or cookies are switched off. Please enter the key again."
            return self._page(request, next_page, "", reason, 403)
        key = fields.get("key", "").strip()
        if not key:
            return self._page(request, next_page, "key", "Enter an API key.", 401)
        try:
            cookie = self._context.sessions.sign_in(request, key)
        except HTTPError as error:  # too many wrong keys, or keys can't be read: the form stays
            return self._page(request, next_page, "", error.detail, error.status, error.headers)
        if cookie is None:
            return self._page(request, next_page, "key", "No such key; it may have been revoked.", 401)
        return self._context.pages.see_other(_safe(next_page), (("set-cookie", cookie),))

    async def sign_out(self, request: Request) -> Response:
        """POST /dashboard/sign-out: take the session cookie back."""
        self._context.sessions.form(request)
        cookie = self._context.sessions.sign_out()
        return self._context.pages.see_other("/dashboard/sign-in", (("set-cookie", cookie),))

    def _page(
        self,
        request: Request,
        next_page: str,
        wrong: str = "",
        reason: str = "",
        status: int = 200,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> Response:
        csrf, cookie = self._context.sessions.sign_in_token(request)
        form = LinkForm({})
        return self._context.pages.page(
            "sign_in.html",
            status,
            (("set-cookie", cookie), *headers),
            visitor=None,
            csrf=csrf,
            next=_safe(next_page),
            form=form.refused(wrong, reason) if reason else form,
        )


def _safe(next_page: str) -> str:
    return next_page if _NEXT.fullmatch(next_page) else _HOME
