"""The hot path: what is answered, what is recorded, and that an edit is seen at once."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from hopline.cache import Cache
from hopline.http import ConnectionInfo, Head, HTTPError, Request
from hopline.shortener.clicks.event import ClickKind, unpack
from hopline.shortener.links.link import Link, StoreUnavailable
from hopline.shortener.redirect import Redirects

CHROME = b"Mozilla/5.0 (X11; Linux x86_64) Chrome/130.0.0.0"


class Links:
    """A store that answers from a dict, and can be slow or away."""

    def __init__(self) -> None:
        self.links: dict[str, Link] = {}
        self.gets = 0
        self.gate: asyncio.Event | None = None
        self.away = False

    async def get(self, code: str) -> Link | None:
        self.gets += 1
        if self.away:
            raise StoreUnavailable("away")
        link = self.links.get(code)
        if self.gate is not None:
            await self.gate.wait()
        return link

    def put(self, code: str, **values: Any) -> None:
        given = {"url": "https://example.com/", "expires_at": None, "redirect_status": 302, **values}
        self.links[code] = Link(id=7, code=code, created_at=0, updated_at=0, user_id=None, custom=True, **given)


class Versions:
    """A version table of one slot."""

    def __init__(self) -> None:
        self.slots = memoryview(bytearray(8)).cast("Q")

    def slot(self, code: str) -> int:
        return 0

    def edit(self) -> None:
        self.slots[0] += 2


class Clicks:
    """A journal that keeps what it was given."""

    def __init__(self) -> None:
        self.records: list[bytes] = []

    def append(self, payload: bytes) -> bool:
        self.records.append(payload)
        return True


class Somebody:
    """Identifies everybody as the same visitor, and remembers who was asked about."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def identify(self, address: str) -> tuple[int, bytes]:
        self.asked.append(address)
        return 99, b"NL"


class World:
    """A Redirects and all it stands on."""

    def __init__(self) -> None:
        self.store, self.versions, self.clicks, self.somebody = Links(), Versions(), Clicks(), Somebody()
        self.cache: Cache[bytes, Any] = Cache(100, 60.0)
        self.redirects = Redirects(self.cache, self.store, self.versions, self.clicks, self.somebody)  # type: ignore[arg-type]
        self.redirects.open()
        self.connection = ConnectionInfo(("192.0.2.7", 1234))

    def head(self, target: bytes, method: bytes = b"GET", fields: Sequence[bytes] = ()) -> Head:
        head = Head(self.connection)
        lines = [method + b" " + target + b" HTTP/1.1", b"Host: sho.rt", b"User-Agent: " + CHROME, *fields, b"", b""]
        head.raw = b"\r\n".join(lines)
        head.lowered = head.raw.lower()
        head.method, head.target = method, target
        return head

    async def visit(self, target: bytes, method: bytes = b"GET", fields: Sequence[bytes] = ()) -> str:
        """Go where the server would: to the raw route, then to the handler. The location, or the status."""
        head = self.head(target, method, fields)
        answer = self.redirects.raw(head)
        if answer is not None:
            return "raw " + answer.split(b"location: ")[1].split(b"\r\n")[0].decode()
        try:
            response = await self.redirects.follow(Request(head))
        except HTTPError as error:
            return str(error.status)
        return dict(response.headers)["location"]


@pytest.fixture
def world() -> World:
    return World()


async def test_a_first_look_loads_and_the_next_is_answered_from_memory(world: World) -> None:
    world.store.put("abc", url="https://example.com/a")

    assert await world.visit(b"/abc") == "https://example.com/a"
    assert await world.visit(b"/abc?utm_source=x") == "raw https://example.com/a"
    assert world.store.gets == 1
    assert len(world.clicks.records) == 2


async def test_a_click_holds_what_the_visitor_sent_and_no_address(world: World) -> None:
    world.store.put("abc")
    fields = [b"Referer: https://news.example/", b"ACCEPT-LANGUAGE:  nl "]
    for _ in range(2):  # once by the handler, once by the raw route
        await world.visit(b"/abc?utm_source=x", fields=fields)

    for click in map(unpack, world.clicks.records):
        assert (click.link_id, click.visitor, click.country, click.kind) == (7, 99, b"NL", ClickKind.CLICK)
        sent = (click.agent.strip(), click.referrer.strip(), click.language.strip())
        assert sent == (CHROME, b"https://news.example/", b"nl")
        assert click.query == b"utm_source=x"
    assert not any(b"192.0.2.7" in record for record in world.clicks.records)
    assert world.somebody.asked == ["192.0.2.7"]  # once a connection


async def test_heads_and_prefetches_are_recorded_as_what_they_are(world: World) -> None:
    world.store.put("abc")
    for _ in range(2):
        await world.visit(b"/abc", b"HEAD")
        await world.visit(b"/abc", fields=[b"Sec-Purpose: prefetch;prerender"])
        await world.visit(b"/abc", fields=[b"Purpose: Prefetch"])
        await world.visit(b"/abc", fields=[b"X-Purpose: prefetch"])

    kinds = [unpack(record).kind for record in world.clicks.records]
    assert kinds == [ClickKind.HEAD, ClickKind.PREFETCH, ClickKind.PREFETCH, ClickKind.CLICK] * 2
    stats = world.redirects.stats()
    assert (stats.redirects, stats.heads, stats.prefetches) == (2, 2, 4)


async def test_unknown_codes_are_remembered_and_recorded_by_nobody(world: World) -> None:
    assert [await world.visit(b"/nope") for _ in range(3)] == ["404"] * 3
    assert await world.visit(b"/%ff") == "404"
    assert world.store.gets == 1
    assert world.clicks.records == []


async def test_an_expired_link_is_gone_also_where_it_was_in_memory(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store.put("abc", expires_at=5_000)
    monkeypatch.setattr("hopline.shortener.redirect.time_ns", lambda: 4_999_000_000)
    assert await world.visit(b"/abc") == "https://example.com/"
    assert (await world.visit(b"/abc")).startswith("raw ")
    monkeypatch.setattr("hopline.shortener.redirect.time_ns", lambda: 5_000_000_000)

    assert await world.visit(b"/abc") == "410"
    assert len(world.clicks.records) == 2


async def test_an_edit_ends_what_was_in_memory(world: World) -> None:
    world.store.put("abc", url="https://example.com/old")
    await world.visit(b"/abc")
    world.store.put("abc", url="https://example.com/new")
    world.versions.edit()

    assert await world.visit(b"/abc") == "https://example.com/new"
    assert await world.visit(b"/abc") == "raw https://example.com/new"


async def test_nothing_is_remembered_while_an_edit_is_under_way(world: World) -> None:
    world.store.put("abc")
    world.versions.slots[0] = 1

    assert await world.visit(b"/abc") == "https://example.com/"
    assert await world.visit(b"/abc") == "https://example.com/"
    assert world.store.gets >= 2


async def test_who_joins_a_load_that_an_edit_overtook_is_not_given_the_old_link(world: World) -> None:
    world.store.put("abc", url="https://example.com/old")
    world.store.gate = asyncio.Event()
    early = asyncio.ensure_future(world.visit(b"/abc"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    world.store.put("abc", url="https://example.com/new")  # the load has already read the old one
    world.versions.edit()
    late = asyncio.ensure_future(world.visit(b"/abc"))
    await asyncio.sleep(0)
    world.store.gate.set()

    assert await late == "https://example.com/new"
    await early


async def test_many_first_visitors_cause_one_load(world: World) -> None:
    world.store.put("abc")
    world.store.gate = asyncio.Event()
    visits = [asyncio.ensure_future(world.visit(b"/abc")) for _ in range(20)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    world.store.gate.set()

    assert await asyncio.gather(*visits) == ["https://example.com/"] * 20
    assert world.store.gets == 1
    assert len(world.clicks.records) == 20


async def test_links_in_memory_go_on_while_the_store_is_away(world: World) -> None:
    world.store.put("abc")
    await world.visit(b"/abc")
    world.store.away = True

    assert (await world.visit(b"/abc")).startswith("raw ")
    assert await world.visit(b"/other") == "503"


@pytest.mark.parametrize(("status", "age"), [(301, 90), (302, 0), (307, 0), (308, 90)])
async def test_the_status_chosen_is_sent_with_its_memory(world: World, status: int, age: int) -> None:
    world.store.put("abc", redirect_status=status)
    await world.visit(b"/abc")
    answer = world.redirects.raw(world.head(b"/abc"))

    assert answer is not None
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"cache-control: private, max-age=%d\r\n" % age in answer
