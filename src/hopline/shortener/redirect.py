"""The hot path: from the bytes of a request's head to a redirect, with its click recorded on the way.

A hit in the cache is answered by `raw` without making an object: the answer was built when the link was
loaded. Everything else (a first look, an unknown code, an edited or expired link) goes through `follow`,
which loads once however many wait, and records the same way.

The order is the promise: the click is in the journal before the answer can leave. A cached answer is used only
while its slot of the version table stands still (see links/versions.py), so no process serves a link that
another one has changed.

What the parts of a hit cost, interpreted, is measured by benchmarks/profile_redirect.py.
"""

from dataclasses import dataclass, field
from time import time_ns
from typing import Final, Protocol

from hopline.cache import Cache
from hopline.http import Head, HTTPError, Request, Response, status_line
from hopline.shortener.clicks.event import ClickKind, pack
from hopline.shortener.links.custom_codes import code_from_path
from hopline.shortener.links.link import Link, StoreUnavailable
from hopline.shortener.links.protocol import LinkStore

__all__ = ["RedirectStats", "Redirects"]

NEVER: Final = 1 << 62  # ms; when a link without an expiry expires
UNKNOWN_TTL: Final = 5.0  # seconds an unknown code is remembered: long enough for a scanner, short for a person
LOAD_ATTEMPTS: Final = 3  # joined loads that an edit overtook, before the store is asked directly
UNCACHED: Final = -1  # a version no slot ever has
_AGENT: Final = b"\r\nuser-agent:"
_REFERRER: Final = b"\r\nreferer:"
_LANGUAGE: Final = b"\r\naccept-language:"
_CLICK: Final = int(ClickKind.CLICK)
_HEAD: Final = int(ClickKind.HEAD)
_PREFETCH: Final = int(ClickKind.PREFETCH)


class Target:
    """What a path leads to, ready to send. `answer` is the redirect without its Date; b"" where there is none."""

    __slots__ = ("answer", "expires_at", "link", "slot", "version")

    def __init__(self, link: Link | None, slot: int, version: int) -> None:
        self.link = link
        self.slot = slot
        self.version = version
        self.expires_at = NEVER if link is None or link.expires_at is None else link.expires_at
        self.answer = b"" if link is None else _answer(link)


def _cache_control(status: int) -> str:
    """301 and 308 ask to be remembered; a short memory keeps an edit from being lost on those who came before."""
    return "private, max-age=90" if status in (301, 308) else "private, max-age=0"


def _answer(link: Link) -> bytes:
    fields = f"location: {link.url}\r\ncache-control: {_cache_control(link.redirect_status)}\r\ncontent-length: 0\r\n"
    return status_line(link.redirect_status) + fields.encode("ascii")


class Visitor:
    """Who is at the other end of a connection, as far as a click may know; good until its day ends."""

    __slots__ = ("country", "hash", "until_ms")

    def __init__(self, visitor_hash: int, country: bytes, until_ms: int) -> None:
        self.hash = visitor_hash
        self.country = country
        self.until_ms = until_ms


class ClickLog(Protocol):
    """Where clicks go: the journal."""

    def append(self, payload: bytes) -> bool: ...


class Identifies(Protocol):
    """Who turns an address into a hash and a country."""

    def identify(self, address: str) -> tuple[int, bytes]: ...


class Versions(Protocol):
    """The version table, as far as a redirect needs it."""

    @property
    def slots(self) -> memoryview: ...
    def slot(self, code: str) -> int: ...


@dataclass(frozen=True, slots=True)
class RedirectStats:
    """Figures of one worker; additive."""

    redirects: int = field(metadata={"help": "Clicks answered with a redirect"})
    heads: int = field(metadata={"help": "HEAD requests answered with a redirect"})
    prefetches: int = field(metadata={"help": "Prefetches answered with a redirect"})
    loads: int = field(metadata={"help": "Look-ups past the cache"})
    unknown: int = field(metadata={"help": "Requests for codes that lead nowhere"})
    expired: int = field(metadata={"help": "Requests for links that have expired"})


class Redirects:
    """Answers GET and HEAD of short codes. Belongs to its worker's event loop."""

    def __init__(
        self,
        cache: Cache[bytes, Target],
        store: LinkStore,
        versions: Versions,
        journal: ClickLog,
        visitors: Identifies,
    ) -> None:
        self._cache = cache
        self._store = store
        self._versions = versions
        self._slots: memoryview = memoryview(b"")  # the version table's, between open and close
        self._journal = journal
        self._visitors = visitors
        self._redirects = 0
        self._heads = 0
        self._prefetches = 0
        self._loads = 0
        self._unknown = 0
        self._expired = 0

    def open(self) -> None:
        """Look at the version table, which must be open."""
        self._slots = self._versions.slots

    def close(self) -> None:
        """Let go of the version table, before it closes."""
        self._slots = memoryview(b"")

    def raw(self, head: Head) -> bytes | None:
        """The answer for a path in the cache; None for whatever takes a closer look. A RawHandler."""
        path, _, query = head.target.partition(b"?")
        target = self._cache.get(path)
        if target is None or self._slots[target.slot] != target.version or not target.answer:
            return None
        now_ms = time_ns() // 1_000_000
        if now_ms >= target.expires_at:
            return None
        self._record(target.link.id, head, query, now_ms)  # type: ignore[union-attr]  # an answer has a link
        return target.answer

    def _record(self, link_id: int, head: Head, query: bytes, now_ms: int) -> None:
        """Put the click into the journal. A full disk drops it, counted there: visitors come first."""
        if head.method == b"HEAD":
            kind = _HEAD
            self._heads += 1
        elif b"purpose:" in head.lowered and _is_prefetch(head):
            kind = _PREFETCH
            self._prefetches += 1
        else:
            kind = _CLICK
            self._redirects += 1
        visitor: Visitor | None = head.connection.context
        if visitor is None or now_ms >= visitor.until_ms:
            visitor = self._identify(head, now_ms)
        # head.get three times over, without its calls and without stripping: 450 ns less (see clicks/facts.py).
        raw = head.raw
        find = head.lowered.find
        at = find(_AGENT)
        agent = raw[at + 13 : raw.find(b"\r", at + 13)] if at >= 0 else b""
        at = find(_REFERRER)
        referrer = raw[at + 10 : raw.find(b"\r", at + 10)] if at >= 0 else b""
        at = find(_LANGUAGE)
        language = raw[at + 18 : raw.find(b"\r", at + 18)] if at >= 0 else b""
        self._journal.append(
            pack(now_ms, link_id, visitor.hash, visitor.country, kind, agent, referrer, language, query)
        )

    def _identify(self, head: Head, now_ms: int) -> Visitor:
        """Once a connection and day: the address becomes a hash and a country, and is not kept."""
        peer = head.connection.peer
        visitor_hash, country = self._visitors.identify(peer[0] if peer else "")
        day_ms = 86_400_000
        visitor = Visitor(visitor_hash, country, (now_ms // day_ms + 1) * day_ms)
        head.connection.context = visitor
        return visitor

    async def follow(self, request: Request) -> Response:
        """The redirect for a path that is not in the cache, or the reason why there is none. A Handler."""
        path = request.raw_path
        code = code_from_path(path[1:])
        if code is None:
            self._unknown += 1
            raise HTTPError(404, "there is no such link")
        try:
            target = await self._current(path, code)
        except StoreUnavailable as error:
            retry = (("retry-after", str(error.retry_after)),)
            raise HTTPError(503, "links can't be looked up right now", retry) from error
        link = target.link
        if link is None:
            self._unknown += 1
            raise HTTPError(404, "there is no such link")
        now_ms = time_ns() // 1_000_000
        if now_ms >= target.expires_at:
            self._expired += 1
            raise HTTPError(410, "this link has expired")
        self._record(link.id, request.head(), request.target.partition(b"?")[2], now_ms)
        fields = (("location", link.url), ("cache-control", _cache_control(link.redirect_status)))
        return Response(b"", link.redirect_status, headers=fields)

    async def _current(self, path: bytes, code: str) -> Target:
        """The target of `code`, loaded once for all who wait, and never older than this call."""
        slot = self._versions.slot(code)
        for _ in range(LOAD_ATTEMPTS):
            target = self._cache.get(path)
            if target is not None and self._slots[target.slot] == target.version:
                return target
            if target is not None:
                self._cache.delete(path)
            target = await self._cache.aget_or_load(path, lambda: self._load(code, slot))
            if self._slots[slot] == target.version:
                if target.link is None:
                    self._cache.set(path, target, ttl=UNKNOWN_TTL)
                return target
        # Edits keep overtaking the loads; what the store says now is right, and is not remembered.
        return Target(await self._store.get(code), slot, UNCACHED)

    async def _load(self, code: str, slot: int) -> Target:
        self._loads += 1
        version = self._slots[slot]  # noted before the database is read, see links/versions.py
        link = await self._store.get(code)
        return Target(link, slot, UNCACHED if version & 1 else version)

    def stats(self) -> RedirectStats:
        """This worker's figures since it started."""
        return RedirectStats(self._redirects, self._heads, self._prefetches, self._loads, self._unknown, self._expired)


def _is_prefetch(head: Head) -> bool:
    """Whether the browser only warms up: Sec-Purpose, or the older Purpose, says prefetch."""
    purpose = head.get(b"\r\nsec-purpose:") or head.get(b"\r\npurpose:")
    return b"prefetch" in purpose.lower()
