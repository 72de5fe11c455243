"""A LinkStore and a ClickStore in dicts, for tests of what stands above them; they fail on demand."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import count

from hopline.clock import Clock
from hopline.shortener.clicks.protocol import DIMENSIONS, DayClicks, LinkStats, LinkTotals, ValueClicks
from hopline.shortener.links.codes import CodePermutation
from hopline.shortener.links.link import (
    CodeTaken,
    Keep,
    Link,
    LinkChanges,
    LinkPage,
    LinkQuery,
    NewLink,
    StoreUnavailable,
)
from hopline.shortener.links.protocol import LinkStoreStats


class MemoryLinkStore:
    """Links by code. `down` makes every method raise StoreUnavailable; `transactions` counts calls of create."""

    def __init__(self, clock: Clock) -> None:
        self.links: dict[str, Link] = {}
        self.down = False
        self.transactions = 0
        self._clock = clock
        self._ids = count(1)
        self._codes = CodePermutation(b"0123456789abcdef")

    async def create(self, new: Sequence[NewLink]) -> list[Link | CodeTaken]:
        self._check()
        self.transactions += 1
        return [self._create(link) for link in new]

    async def get(self, code: str) -> Link | None:
        self._check()
        return self.links.get(code)

    async def update(self, code: str, changes: LinkChanges) -> Link | None:
        self._check()
        link = self.links.get(code)
        if link is None:
            return None
        given = {name: getattr(changes, name) for name in ("url", "user_id", "expires_at", "redirect_status")}
        changed = {name: value for name, value in given.items() if not isinstance(value, Keep)}
        self.links[code] = replace(link, updated_at=self._now(), **changed)
        return self.links[code]

    async def delete(self, code: str) -> bool:
        self._check()
        return self.links.pop(code, None) is not None

    async def page(self, query: LinkQuery) -> LinkPage:
        self._check()
        found = [
            link
            for link in sorted(self.links.values(), key=lambda link: -link.id)
            if (query.before is None or link.id < query.before)
            and (query.search is None or query.search in link.code or query.search in link.url)
            and (query.user_id is None or query.user_id == link.user_id)
        ]
        page = found[: query.limit]
        return LinkPage(page, page[-1].id if len(found) > len(page) else None)

    def stats(self) -> LinkStoreStats:
        return LinkStoreStats(0, 0, 0, 0, 0, 0, 0)

    async def close(self) -> None:
        pass

    def _create(self, new: NewLink) -> Link | CodeTaken:
        if new.custom_code in self.links:
            return CodeTaken(str(new.custom_code))
        link_id, now = next(self._ids), self._now()
        code = new.custom_code or self._codes.encode(link_id)
        self.links[code] = Link(
            link_id,
            code,
            new.url,
            now,
            now,
            new.expires_at,
            new.user_id,
            new.redirect_status,
            new.custom_code is not None,
        )
        return self.links[code]

    def _now(self) -> int:
        return int(self._clock.time() * 1000)

    def _check(self) -> None:
        if self.down:
            raise StoreUnavailable("'/data/links.db' is locked", retry_after=3)


class MemoryClickStore:
    """Totals by link id, set by the test; every day asked for has one click of a human per browser "Firefox"."""

    def __init__(self) -> None:
        self.by_link: dict[int, LinkTotals] = {}
        self.down = False
        self.asked: list[tuple[str, str]] = []

    async def stats(self, link_id: int, first_day: str, last_day: str) -> LinkStats:
        self._check()
        self.asked.append((first_day, last_day))
        first, last = date.fromisoformat(first_day), date.fromisoformat(last_day)
        names = [(first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1)]
        breakdowns: dict[str, Sequence[ValueClicks]] = {name: [] for name in DIMENSIONS}
        breakdowns["browser"] = [ValueClicks("Firefox", len(names))]
        days = [DayClicks(day, 1, 1, 0, 1) for day in names]
        return LinkStats(self.by_link.get(link_id, LinkTotals()), len(names), days, breakdowns)

    async def totals(self, link_ids: Sequence[int]) -> dict[int, LinkTotals]:
        self._check()
        return {link_id: self.by_link[link_id] for link_id in link_ids if link_id in self.by_link}

    async def close(self) -> None:
        pass

    def _check(self) -> None:
        if self.down:
            raise StoreUnavailable("'/data/clicks.db' is locked", retry_after=3)
