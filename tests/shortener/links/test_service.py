"""What may become a link, and what is said where it may not; over stores in memory and in SQLite."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from hopline.clock import ManualClock
from hopline.shortener.links.link import InvalidLink, Link, LinkQuery, StoreUnavailable
from hopline.shortener.links.protocol import LinkStore
from hopline.shortener.links.service import CodeConflict, LinkInput, LinkService
from hopline.shortener.links.sqlite import SqliteLinkStore
from hopline.shortener.links.versions import VersionTable
from hopline.shortener.settings import Settings
from tests.shortener.memory_stores import MemoryClickStore, MemoryLinkStore

START = 1_900_000_000.0  # 2030-03-17T17:46:40Z


class Desk:
    """A service and what is under it."""

    def __init__(self, store: LinkStore, settings: Settings, clock: ManualClock) -> None:
        self.store = store
        self.clock = clock
        self.clicks = MemoryClickStore()
        self.service = LinkService(store, self.clicks, settings, clock)

    async def refusal(self, **wanted: object) -> InvalidLink:
        with pytest.raises(InvalidLink) as caught:
            await self.service.create(**{"url": "https://example.com/", **wanted})  # type: ignore[arg-type]
        return caught.value


Open = Callable[..., AbstractAsyncContextManager[Desk]]


@pytest.fixture(params=["memory", "sqlite"])
def open_desk(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    @asynccontextmanager
    async def opened(**changed: object) -> AsyncIterator[Desk]:
        settings = Settings(data_dir=tmp_path, **{"base_url": "https://sho.rt", **changed})  # type: ignore[arg-type]
        clock = ManualClock(START)
        if request.param == "memory":
            yield Desk(MemoryLinkStore(clock), settings, clock)
            return
        with VersionTable(tmp_path / "versions.map") as versions:
            async with SqliteLinkStore(tmp_path / "links.db", versions, clock=clock) as store:
                yield Desk(store, settings, clock)

    return opened


@pytest.fixture
def open_fake(tmp_path: Path) -> Callable[..., Desk]:
    """For what is about the store's behaviour, not its truth."""

    def opened(**changed: object) -> Desk:
        clock = ManualClock(START)
        settings = Settings(data_dir=tmp_path, **{"base_url": "https://sho.rt", **changed})  # type: ignore[arg-type]
        return Desk(MemoryLinkStore(clock), settings, clock)

    return opened


async def test_a_link_is_made_normalised_and_found_again(open_desk: Open) -> None:
    async with open_desk() as desk:
        link = await desk.service.create(
            "HTTPS://Example.COM/a b", user_id="u-1", expires_at="2031-01-01T01:00:00+01:00", redirect_status=307
        )

        assert (link.url, link.user_id, link.redirect_status) == ("https://example.com/a%20b", "u-1", 307)
        assert link.expires_at == 1_924_992_000_000
        assert link.created_at == link.updated_at == int(START * 1000)
        assert not link.custom
        assert await desk.service.get(link.code) == link
        assert desk.service.short_url(link) == f"https://sho.rt/{link.code}"


async def test_a_custom_code_is_one_link_in_every_normal_form(open_desk: Open) -> None:
    async with open_desk() as desk:
        link = await desk.service.create("https://example.com/", custom_code="cafe\u0301/menü")

        assert link.code == "caf\u00e9/menü"
        assert link.custom
        assert desk.service.short_url(link) == "https://sho.rt/caf%C3%A9/men%C3%BC"
        assert await desk.service.get("cafe\u0301/menu\u0308") == link
        assert await desk.service.delete("cafe\u0301/menü")
        assert await desk.service.get(link.code) is None
        assert not await desk.service.delete(link.code)


async def test_a_taken_code_is_a_conflict_that_names_it(open_desk: Open) -> None:
    async with open_desk() as desk:
        await desk.service.create("https://example.com/1", custom_code="mine")

        with pytest.raises(CodeConflict, match="the code 'mine' belongs to another link") as caught:
            await desk.service.create("https://example.com/2", custom_code="mine")

        assert caught.value.code == "mine"


@pytest.mark.parametrize(
    ("wanted", "field", "says"),
    [
        ({"url": "javascript:alert(1)"}, "url", "only http and https"),
        ({"url": "https://example.com/\r\nset-cookie: a=b"}, "url", "control characters"),
        ({"url": "https://sho.rt/abc"}, "url", "circle"),
        ({"url": "http://sho.rt:8080/abc"}, "url", "circle"),
        ({"url": "http://localhost:8080/abc"}, "url", "circle"),
        ({"url": "http://[::1]:8080/abc"}, "url", "circle"),
        ({"url": "https://u:p@example.com/"}, "url", "user name"),
        ({"url": "https://example.com/" + "a" * 8192}, "url", "at most 8192"),
        ({"custom_code": "api"}, "custom_code", "belongs to the service"),
        ({"custom_code": ""}, "custom_code", "at least one"),
        ({"custom_code": "a b"}, "custom_code", "a space can't be"),
        ({"user_id": ""}, "user_id", "has 1 to 255 characters; this one has 0"),
        ({"user_id": "u" * 256}, "user_id", "this one has 256"),
        ({"user_id": "a\nb"}, "user_id", "U+000A"),
        ({"user_id": "a\u2028b"}, "user_id", "U+2028"),
        ({"user_id": "\ud800"}, "user_id", "U+D800"),
        ({"expires_at": "soon"}, "expires_at", "'soon' is no moment; write it like 2030-12-31T23:59:00Z"),
        ({"expires_at": ""}, "expires_at", "is no moment"),
        ({"expires_at": "2030-03-17T17:46:40Z"}, "expires_at", "is past; it is 2030-03-17T17:46:40.000Z now"),
        ({"expires_at": 5}, "expires_at", "is past"),
        ({"expires_at": -(10**30)}, "expires_at", "is past"),
        ({"expires_at": 10**30}, "expires_at", "can't outlive the year 9999"),
        ({"expires_at": "9999-12-31T23:59:59-14:00"}, "expires_at", "can't outlive"),
        ({"redirect_status": 303}, "redirect_status", "choose one of 301, 302, 307, 308"),
        ({"redirect_status": 0}, "redirect_status", "choose one of"),
    ],
)
async def test_what_cannot_be_a_link_is_refused_at_its_field(
    open_fake: Callable[..., Desk], wanted: dict[str, object], field: str, says: str
) -> None:
    refusal = await open_fake().refusal(**wanted)

    assert refusal.field == field
    assert says in refusal.reason


async def test_another_service_of_this_machine_can_have_short_links(open_fake: Callable[..., Desk]) -> None:
    desk = open_fake(base_url=None, port=8080)

    assert (await desk.service.create("http://127.0.0.1:3000/")).url == "http://127.0.0.1:3000/"
    assert (await desk.refusal(url="http://127.0.0.1:8080/x")).field == "url"


async def test_settings_decide_what_is_taken(open_fake: Callable[..., Desk]) -> None:
    desk = open_fake(allow_credentials=True, max_url_length=64, redirect_status=308)

    assert (await desk.service.create("https://u@example.com/")).redirect_status == 308
    assert "at most 64" in (await desk.refusal(url="https://example.com/" + "a" * 64)).reason


async def test_a_moment_without_an_offset_is_utc(open_desk: Open) -> None:
    async with open_desk() as desk:
        named = await desk.service.create("https://example.com/", expires_at="2031-01-01T00:00:00Z")
        bare = await desk.service.create("https://example.com/", expires_at="2031-01-01")
        counted = await desk.service.create("https://example.com/", expires_at=named.expires_at)

        assert named.expires_at == bare.expires_at == counted.expires_at == 1_924_992_000_000


async def test_a_change_changes_what_is_given_and_none_takes_away(open_desk: Open) -> None:
    async with open_desk(redirect_status=307) as desk:
        link = await desk.service.create(
            "https://example.com/1", user_id="u", expires_at="2031-01-01", redirect_status=301
        )
        desk.clock.advance(2)

        moved = await desk.service.update(link.code, url="https://example.com/2")
        assert moved is not None
        assert (moved.url, moved.user_id, moved.expires_at) == ("https://example.com/2", "u", link.expires_at)
        assert (moved.created_at, moved.updated_at) == (link.created_at, link.created_at + 2000)

        cleared = await desk.service.update(link.code, user_id=None, expires_at=None, redirect_status=None)
        assert cleared is not None
        assert (cleared.user_id, cleared.expires_at, cleared.redirect_status) == (None, None, 307)
        assert cleared.url == "https://example.com/2"


async def test_a_change_is_checked_like_a_new_link(open_desk: Open) -> None:
    async with open_desk() as desk:
        link = await desk.service.create("https://example.com/1")

        for changes in ({"url": "ftp://x/"}, {"user_id": ""}, {"expires_at": "1999-01-01"}, {"redirect_status": 200}):
            with pytest.raises(InvalidLink) as caught:
                await desk.service.update(link.code, **changes)
            assert caught.value.field in changes

        assert await desk.service.get(link.code) == link


async def test_changing_nothing_or_nobody_changes_nothing(open_desk: Open) -> None:
    async with open_desk() as desk:
        link = await desk.service.create("https://example.com/1")
        desk.clock.advance(2)

        assert await desk.service.update(link.code) == link
        assert await desk.service.update("nobody", url="https://example.com/2") is None


async def test_many_links_are_one_transaction_with_one_answer_each(open_fake: Callable[..., Desk]) -> None:
    desk = open_fake()
    await desk.service.create("https://example.com/", custom_code="taken")
    wanted = [
        LinkInput("https://example.com/1"),
        LinkInput("nonsense"),
        LinkInput("https://example.com/2", custom_code="taken"),
        LinkInput("https://example.com/3", custom_code="twice"),
        LinkInput("https://example.com/4", custom_code="twice"),
        LinkInput("https://example.com/5", expires_at="never"),
    ]

    made = await desk.service.create_many(wanted)

    kinds = [type(answer) for answer in made]
    assert kinds == [Link, InvalidLink, CodeConflict, Link, CodeConflict, InvalidLink]
    assert isinstance(desk.store, MemoryLinkStore)
    assert desk.store.transactions == 2
    assert isinstance(made[0], Link)
    assert made[0].url == "https://example.com/1"


async def test_many_links_where_none_is_good_do_not_reach_the_store(open_fake: Callable[..., Desk]) -> None:
    desk = open_fake()
    assert isinstance(desk.store, MemoryLinkStore)
    desk.store.down = True

    assert [type(answer) for answer in await desk.service.create_many([LinkInput("x"), LinkInput("")])] == [
        InvalidLink,
        InvalidLink,
    ]
    assert await desk.service.create_many([]) == []
    with pytest.raises(StoreUnavailable):
        await desk.service.create_many([LinkInput("https://example.com/")])


async def test_checking_many_links_lets_others_have_their_turn(open_fake: Callable[..., Desk]) -> None:
    desk, turns = open_fake(), 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await desk.service.create_many([LinkInput(f"https://example.com/{n}") for n in range(1000)])
    task.cancel()

    assert turns >= 20


async def test_links_are_paged_newest_first(open_desk: Open) -> None:
    async with open_desk() as desk:
        for n in range(5):
            await desk.service.create(f"https://example.com/{n}", user_id="even" if n % 2 == 0 else None)

        first = await desk.service.page(LinkQuery(limit=3))
        rest = await desk.service.page(LinkQuery(limit=3, before=first.next_before))
        even = await desk.service.page(LinkQuery(user_id="even"))

        assert [link.url[-1] for link in first.links] == ["4", "3", "2"]
        assert [link.url[-1] for link in rest.links] == ["1", "0"]
        assert rest.next_before is None
        assert [link.url[-1] for link in even.links] == ["4", "2", "0"]


@pytest.mark.parametrize(
    ("first", "last", "asked"),
    [
        (None, None, ("2030-02-16", "2030-03-17")),
        ("2030-03-01", None, ("2030-03-01", "2030-03-17")),
        (None, "2030-01-31", ("2030-01-02", "2030-01-31")),
        ("2028-02-29", "2028-02-29", ("2028-02-29", "2028-02-29")),
        ("2029-03-17", "2030-03-17", ("2029-03-17", "2030-03-17")),
        (None, "0001-01-05", ("0001-01-01", "0001-01-05")),
    ],
)
async def test_clicks_are_of_the_last_30_days_unless_others_are_named(
    open_fake: Callable[..., Desk], first: str | None, last: str | None, asked: tuple[str, str]
) -> None:
    desk = open_fake()
    link = await desk.service.create("https://example.com/")

    await desk.service.stats(link, first, last)

    assert desk.clicks.asked == [asked]


@pytest.mark.parametrize(
    ("first", "last", "field", "says"),
    [
        ("2030-03-18", None, "from", "2030-03-18 is after 2030-03-17"),
        ("2029-03-16", None, "from", "are 367 days; ask for at most 366"),
        ("yesterday", None, "from", "'yesterday' is no day; write it like 2030-12-31"),
        (None, "2030-02-30", "to", "'2030-02-30' is no day"),
        (None, "", "to", "'' is no day"),
    ],
)
async def test_a_range_of_days_that_is_none_is_refused(
    open_fake: Callable[..., Desk], first: str | None, last: str | None, field: str, says: str
) -> None:
    desk = open_fake()
    link = await desk.service.create("https://example.com/")

    with pytest.raises(InvalidLink, match=says) as caught:
        await desk.service.stats(link, first, last)

    assert caught.value.field == field


async def test_totals_of_no_links_ask_nobody(open_fake: Callable[..., Desk]) -> None:
    desk = open_fake()
    desk.clicks.down = True

    assert await desk.service.totals([]) == {}
