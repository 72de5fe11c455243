"""What every page works with, and the few things that all of them do with it."""

from collections.abc import Sequence
from dataclasses import dataclass

from hopline.clock import Clock
from hopline.http import HTTPError
from hopline.shortener.clicks.protocol import LinkTotals
from hopline.shortener.dashboard.forms import LinkForm
from hopline.shortener.dashboard.pages import Pages
from hopline.shortener.dashboard.sessions import Sessions
from hopline.shortener.dashboard.shown import ShownLink
from hopline.shortener.links.link import InvalidLink, Link, StoreUnavailable
from hopline.shortener.links.service import CodeConflict, LinkService

__all__ = ["Context", "Refusal", "refused"]

Refusal = InvalidLink | CodeConflict | StoreUnavailable


@dataclass(frozen=True, slots=True)
class Context:
    """The parts behind the pages. Task-safe as they are."""

    service: LinkService
    sessions: Sessions
    pages: Pages
    clock: Clock

    async def link(self, code: str) -> Link:
        """The link of `code`; HTTPError 404 where there is none, 503 while the store can't answer."""
        try:
            link = await self.service.get(code)
        except InvalidLink:
            link = None
        except StoreUnavailable as error:
            raise unavailable(error) from error
        if link is None:
            raise HTTPError(404, f"There is no link with the code “{code}”. It may have been deleted.")
        return link

    async def show(self, links: Sequence[Link]) -> list[ShownLink]:
        """`links` with their clicks; without them while those can't be read, which is no reason to hide a link."""
        try:
            totals = await self.service.totals(links)
        except StoreUnavailable:
            return [self.shown(link, None) for link in links]
        return [self.shown(link, totals.get(link.id, LinkTotals())) for link in links]

    def shown(self, link: Link, totals: LinkTotals | None) -> ShownLink:
        """`link` as it is now."""
        return ShownLink.of(link, self.service.short_url(link), totals, self.clock.time() * 1000)


def refused(form: LinkForm, error: Refusal) -> tuple[LinkForm, int]:
    """The form as it goes back to its sender, and the status it goes back with."""
    if isinstance(error, InvalidLink):
        return form.refused(error.field, error.reason), 422
    if isinstance(error, CodeConflict):
        return form.refused("custom_code", "this code belongs to another link; choose another one"), 409
    return form.refused("", "the links can't be written right now; nothing was changed, try again in a moment"), 503


def unavailable(error: StoreUnavailable) -> HTTPError:
    """The error page while the store can't answer."""
    detail = "The links can't be read right now. Short links go on working; try again in a moment."
    return HTTPError(503, detail, (("retry-after", str(error.retry_after)),))
