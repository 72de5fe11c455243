"""What may become a link, asked in one place: the API, the dashboard and whatever comes later go through here.

Input is validated and normalised here; what reaches a store is good. Clicks are read here too, since whoever
shows a link shows those.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from unicodedata import category, normalize
from urllib.parse import quote, urlsplit

from hopline.clock import Clock
from hopline.errors import HoplineError
from hopline.shortener.clicks.protocol import ClickStore, LinkStats, LinkTotals
from hopline.shortener.links import moments
from hopline.shortener.links.custom_codes import normalise_code
from hopline.shortener.links.link import (
    KEEP,
    REDIRECT_STATUSES,
    CodeTaken,
    InvalidLink,
    Keep,
    Link,
    LinkChanges,
    LinkPage,
    LinkQuery,
    NewLink,
)
from hopline.shortener.links.protocol import LinkStore
from hopline.shortener.links.urls import UrlRules, normalise_url
from hopline.shortener.settings import Settings

__all__ = ["CodeConflict", "LinkInput", "LinkService"]

MOST_USER_ID: Final = 255  # characters
MOST_DAYS: Final = 366  # of one question about clicks
DEFAULT_DAYS: Final = 30
TURN: Final = 50  # links validated between two turns of the loop; some 1 ms, so that redirects don't wait longer


class CodeConflict(HoplineError):
    """The custom code that was asked for belongs to another link."""

    def __init__(self, code: str) -> None:
        super().__init__(f"the code {code!r} belongs to another link; choose another one, or none")
        self.code = code


@dataclass(frozen=True, slots=True)
class LinkInput:
    """A link as it was asked for. `expires_at` is ISO 8601 (without an offset: UTC) or ms since 1970."""

    url: str
    custom_code: str | None = None
    user_id: str | None = None
    expires_at: str | int | None = None
    redirect_status: int | None = None  # None: what is set


class LinkService:
    """Links and their clicks. Task-safe; any method may raise StoreUnavailable, and has then changed nothing.

    Codes are taken in any Unicode normal form. Closes nothing: the stores belong to whoever made them.
    """

    def __init__(self, store: LinkStore, clicks: ClickStore, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._clicks = clicks
        self._clock = clock
        self._public_url = settings.public_url
        self._default_status = settings.redirect_status
        self._rules = UrlRules(_own_hosts(settings), settings.allow_credentials, settings.max_url_length)

    async def create(
        self,
        url: str,
        *,
        custom_code: str | None = None,
        user_id: str | None = None,
        expires_at: str | int | None = None,
        redirect_status: int | None = None,
    ) -> Link:
        """Make a link; durable when this returns. InvalidLink, CodeConflict."""
        new = self._checked(LinkInput(url, custom_code, user_id, expires_at, redirect_status))
        (made,) = await self._store.create([new])
        if isinstance(made, CodeTaken):
            raise CodeConflict(made.code)
        return made

    async def create_many(self, inputs: Sequence[LinkInput]) -> list[Link | InvalidLink | CodeConflict]:
        """Make many links in one transaction: one answer each, in order. A refusal spoils only its own entry."""
        checked: list[NewLink | InvalidLink] = []
        for number, wanted in enumerate(inputs, 1):
            try:
                checked.append(self._checked(wanted))
            except InvalidLink as refusal:
                checked.append(refusal)
            if number % TURN == 0:
                await asyncio.sleep(0)
        good = [entry for entry in checked if isinstance(entry, NewLink)]
        made = iter(await self._store.create(good) if good else [])
        return [entry if isinstance(entry, InvalidLink) else _made(next(made)) for entry in checked]

    async def get(self, code: str) -> Link | None:
        """The link of `code`, expired or not; None where there is none."""
        return await self._store.get(normalize("NFC", code))

    async def update(
        self,
        code: str,
        *,
        url: str | Keep = KEEP,
        user_id: str | Keep | None = KEEP,
        expires_at: str | int | Keep | None = KEEP,
        redirect_status: int | Keep | None = KEEP,
    ) -> Link | None:
        """Change what is given; the link as it is now, None where there is none. InvalidLink.

        None takes a value away: no owner, no end, the redirect that is set.
        """
        changes = LinkChanges(
            url if isinstance(url, Keep) else normalise_url(url, self._rules),
            user_id if isinstance(user_id, Keep) else _user_id(user_id),
            expires_at if isinstance(expires_at, Keep) else self._expiry(expires_at),
            redirect_status if isinstance(redirect_status, Keep) else self._status(redirect_status),
        )
        if changes == LinkChanges():
            return await self.get(code)
        return await self._store.update(normalize("NFC", code), changes)

    async def delete(self, code: str) -> bool:
        """Remove the link; False where there was none."""
        return await self._store.delete(normalize("NFC", code))

    async def page(self, query: LinkQuery) -> LinkPage:
        """One page of links, newest first."""
        return await self._store.page(query)

    def short_url(self, link: Link) -> str:
        """The address that redirects to `link`, percent-encoded."""
        return f"{self._public_url}/{quote(link.code, safe='/~')}"

    async def stats(self, link: Link, first_day: str | None = None, last_day: str | None = None) -> LinkStats:
        """The clicks of `link`: of all time, and day by day from `first_day` to `last_day` (UTC, ISO dates).

        Without a last day until today, without a first one the 30 days until the last. InvalidLink for a range
        that is none, its field being "from" or "to".
        """
        first, last = self._range(first_day, last_day)
        return await self._clicks.stats(link.id, first.isoformat(), last.isoformat())

    async def totals(self, links: Sequence[Link]) -> dict[int, LinkTotals]:
        """All-time totals of `links` by id; a link without clicks is missing."""
        return await self._clicks.totals([link.id for link in links]) if links else {}

    def _checked(self, wanted: LinkInput) -> NewLink:
        return NewLink(
            normalise_url(wanted.url, self._rules),
            None if wanted.custom_code is None else normalise_code(wanted.custom_code),
            _user_id(wanted.user_id),
            self._expiry(wanted.expires_at),
            self._status(wanted.redirect_status),
        )

    def _status(self, status: int | None) -> int:
        if status is None:
            return self._default_status
        if status not in REDIRECT_STATUSES:
            offered = ", ".join(map(str, REDIRECT_STATUSES))
            raise InvalidLink("redirect_status", f"{status!r} is no redirect that is offered; choose one of {offered}")
        return status

    def _expiry(self, given: str | int | None) -> int | None:
        if given is None:
            return None
        try:
            at = moments.parse(given) if isinstance(given, str) else given
        except (ValueError, OverflowError) as error:
            reason = f"{str(given)[:64]!r} is no moment; write it like 2030-12-31T23:59:00Z"
            raise InvalidLink("expires_at", reason) from error
        if at > moments.LAST_MOMENT:
            raise InvalidLink("expires_at", "a link can't outlive the year 9999; leave its end out to keep it for good")
        now = int(self._clock.time() * 1000)
        if at <= now:
            raise InvalidLink("expires_at", f"{moments.iso(max(0, at))} is past; it is {moments.iso(now)} now")
        return at

    def _range(self, first_day: str | None, last_day: str | None) -> tuple[date, date]:
        today = datetime.fromtimestamp(self._clock.time(), UTC).date()
        last = today if last_day is None else _day("to", last_day)
        first = _days_before(last, DEFAULT_DAYS - 1) if first_day is None else _day("from", first_day)
        days = (last - first).days + 1
        if days < 1:
            raise InvalidLink("from", f"{first} is after {last}; the first day comes first")
        if days > MOST_DAYS:
            raise InvalidLink("from", f"{first} to {last} are {days} days; ask for at most {MOST_DAYS} at a time")
        return first, last


def _own_hosts(settings: Settings) -> frozenset[str]:
    """Where this service answers: its public name, on every port if it needs none, and this machine's on its port.

    Another service of the same machine, on another port, can have short links.
    """
    here = (f"{name}:{settings.port}" for name in ("localhost", "127.0.0.1", "[::1]", settings.host))
    return frozenset((urlsplit(settings.public_url).netloc, *here))


def _made(answer: Link | CodeTaken) -> Link | CodeConflict:
    return CodeConflict(answer.code) if isinstance(answer, CodeTaken) else answer


def _user_id(given: str | None) -> str | None:
    """Whoever calls chooses it; it has to fit a line."""
    if given is None:
        return None
    if not 1 <= len(given) <= MOST_USER_ID:
        raise InvalidLink("user_id", f"a user id has 1 to {MOST_USER_ID} characters; this one has {len(given)}")
    for character in given:
        if category(character) in ("Cc", "Cs", "Zl", "Zp"):
            raise InvalidLink("user_id", f"a user id has no control characters; this one has U+{ord(character):04X}")
    return given


def _day(field: str, given: str) -> date:
    try:
        return date.fromisoformat(given)
    except ValueError as error:
        raise InvalidLink(field, f"{given[:64]!r} is no day; write it like 2030-12-31") from error


def _days_before(day: date, days: int) -> date:
    return day - timedelta(days=days) if day.toordinal() > days else date.min
