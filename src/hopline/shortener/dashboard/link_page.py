"""The page of one link: its addresses and QR code, its clicks, the form that edits it, and deleting it.

Deleting asks on a page of its own, so that it needs no script and no single press loses a link.
"""

import asyncio
from collections.abc import Callable
from urllib.parse import quote, urlencode

from hopline.http import HTTPError, Request, Response
from hopline.shortener.dashboard import qr
from hopline.shortener.dashboard.context import Context, refused, unavailable
from hopline.shortener.dashboard.forms import STATUSES, LinkForm, read_status
from hopline.shortener.dashboard.pages import PAGE_HEADERS
from hopline.shortener.dashboard.sessions import Visitor
from hopline.shortener.dashboard.shown import RANGES, ShownClicks, day_range, read_range
from hopline.shortener.links.link import KEEP, InvalidLink, Link, StoreUnavailable

__all__ = ["LinkPage"]


class LinkPage:
    """Handlers of /dashboard/links/{code}, /dashboard/delete/{code} and /dashboard/qr/{kind}/{code}."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def show(self, request: Request) -> Response:
        """GET: the link and its clicks in the range `days`."""
        visitor = self._context.sessions.visitor(request)
        link = await self._context.link(request.params["code"])
        return await self._page(request, visitor, link, LinkForm.of(link))

    async def edit(self, request: Request) -> Response:
        """POST: change where it leads, until when, and how."""
        visitor, fields = self._context.sessions.editor_form(request)
        link = await self._context.link(request.params["code"])
        form = LinkForm.sent(fields)
        try:
            changed = await self._change(link, form)
        except (InvalidLink, StoreUnavailable) as error:
            return await self._page(request, visitor, link, *refused(form, error))
        if changed is None:
            raise HTTPError(404, f"The link “{link.code}” was deleted in the meantime.")
        return self._context.pages.see_other(self._context.shown(link, None).page + "?saved=1")

    async def _change(self, link: Link, form: LinkForm) -> Link | None:
        """Change what differs from the link: an end that has passed may stand, but none may be set."""
        before, after = LinkForm.of(link).values, form.values
        return await self._context.service.update(
            link.code,
            url=KEEP if after["url"] == before["url"] else after["url"],
            expires_at=KEEP if after["expires_at"] == before["expires_at"] else after["expires_at"] or None,
            redirect_status=read_status(after["redirect_status"]),
        )

    async def confirm_delete(self, request: Request) -> Response:
        """GET: ask before deleting."""
        visitor = self._context.sessions.editor(request)
        link = await self._context.link(request.params["code"])
        (row,) = await self._context.show([link])
        return self._context.pages.page("delete.html", visitor=visitor, row=row, form=LinkForm({}))

    async def delete(self, request: Request) -> Response:
        """POST: delete it. A link that is gone already is what was asked for."""
        self._context.sessions.editor_form(request)
        code = request.params["code"]
        try:
            await self._context.service.delete(code)
        except InvalidLink as error:
            raise HTTPError(404, f"There is no link with the code “{code}”.") from error
        except StoreUnavailable as error:
            raise unavailable(error) from error
        return self._context.pages.see_other("/dashboard?" + urlencode({"deleted": code}))

    async def qr_svg(self, request: Request) -> Response:
        """GET: the QR code, to be looked at."""
        return await self._qr(request, qr.svg, "image/svg+xml", "inline", "svg")

    async def qr_png(self, request: Request) -> Response:
        """GET: the QR code, to be kept."""
        return await self._qr(request, qr.png, "image/png", "attachment", "png")

    async def _qr(
        self, request: Request, draw: Callable[[str], bytes], kind: str, disposition: str, suffix: str
    ) -> Response:
        self._context.sessions.visitor(request)
        shown = self._context.shown(await self._context.link(request.params["code"]), None)
        # 5 to 20 ms of drawing (measured): in a thread, so that redirects of this process don't wait for it.
        image = await asyncio.to_thread(draw, shown.short_url)
        name = f'{disposition}; filename="{quote(shown.file_name)}.{suffix}"'
        return Response(image, content_type=kind, headers=(*PAGE_HEADERS, ("content-disposition", name)))

    async def _page(
        self, request: Request, visitor: Visitor, link: Link, form: LinkForm, status: int = 200
    ) -> Response:
        days = read_range(request.query.get("days", ""))
        (row,) = await self._context.show([link])
        return self._context.pages.page(
            "link.html",
            status,
            visitor=visitor,
            row=row,
            form=form,
            saved="saved" in request.query,
            statuses=STATUSES,
            status_names=dict(STATUSES),
            ranges=RANGES,
            days=days,
            stats=await self._clicks(link, days),
        )

    async def _clicks(self, link: Link, days: int) -> ShownClicks | None:
        try:
            stats = await self._context.service.stats(link, *day_range(days, self._context.clock.time()))
        except StoreUnavailable:
            return None
        return ShownClicks.of(stats)
