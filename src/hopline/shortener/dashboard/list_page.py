"""The list of links, and the form that makes one.

The form follows post, redirect, get: the new link shows up on the page that follows, and a reload repeats
nothing. A form that was refused comes back with what was typed and the reason at its field.
"""

from typing import Final
from urllib.parse import urlencode

from hopline.http import Request, Response
from hopline.shortener.dashboard.context import Context, refused
from hopline.shortener.dashboard.forms import STATUSES, LinkForm, read_status
from hopline.shortener.dashboard.sessions import Visitor
from hopline.shortener.dashboard.shown import ShownLink
from hopline.shortener.links.link import InvalidLink, LinkPage, LinkQuery, StoreUnavailable
from hopline.shortener.links.service import CodeConflict

__all__ = ["ListPage"]

PAGE_SIZE: Final = 25
MAX_CURSOR_DIGITS: Final = 18  # an id is a 63-bit number


class ListPage:
    """Handlers of /dashboard."""

    def __init__(self, context: Context, default_status: int) -> None:
        self._context = context
        self._default_status = default_status

    async def show(self, request: Request) -> Response:
        """GET /dashboard: the links, an empty form, and what was just created or deleted."""
        visitor = self._context.sessions.visitor(request)
        return await self._page(request, visitor, LinkForm.blank(self._default_status))

    async def create(self, request: Request) -> Response:
        """POST /dashboard: make a link."""
        visitor, fields = self._context.sessions.editor_form(request)
        form = LinkForm.sent(fields)
        try:
            link = await self._context.service.create(
                form.values["url"],
                custom_code=form.values["custom_code"] or None,
                expires_at=form.values["expires_at"] or None,
                redirect_status=read_status(form.values["redirect_status"]),
            )
        except (InvalidLink, CodeConflict, StoreUnavailable) as error:
            return await self._page(request, visitor, *refused(form, error))
        return self._context.pages.see_other("/dashboard?" + urlencode({"created": link.code}))

    async def _page(self, request: Request, visitor: Visitor, form: LinkForm, status: int = 200) -> Response:
        search = request.query.get("q", "").strip()
        before = _cursor(request.query.get("before", ""))
        created, rows, older = None, None, None
        try:
            created = await self._created(request.query.get("created"))
            found = await self._context.service.page(LinkQuery(PAGE_SIZE, before, search or None))
            rows, older = await self._context.show(found.links), _older(found, search)
        except StoreUnavailable:
            status = max(status, 503)
        return self._context.pages.page(
            "links.html",
            status,
            visitor=visitor,
            form=form,
            statuses=STATUSES,
            created=created,
            deleted=request.query.get("deleted"),
            search=search,
            rows=rows,
            older=older,
            older_page=before is not None,
            newest=_address(search, None),
        )

    async def _created(self, code: str | None) -> ShownLink | None:
        try:
            link = await self._context.service.get(code) if code else None
        except InvalidLink:
            return None
        return None if link is None else self._context.shown(link, None)


def _cursor(typed: str) -> int | None:
    """The id in an address; anything else is the first page, as in an address without one."""
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) <= MAX_CURSOR_DIGITS else None


def _older(found: LinkPage, search: str) -> str | None:
    return None if found.next_before is None else _address(search, found.next_before)


def _address(search: str, before: int | None) -> str:
    query = urlencode({name: value for name, value in (("q", search), ("before", before)) if value})
    return f"/dashboard?{query}" if query else "/dashboard"
