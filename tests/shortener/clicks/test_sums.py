"""What clicks add up to: kinds, days, values and their bounds, visitors. From journal to answer."""

import asyncio
import sqlite3
from contextlib import closing
from random import Random

import pytest

from hopline.shortener.clicks.dimensions import DIMENSION_IDS
from hopline.shortener.clicks.event import ClickKind
from hopline.shortener.clicks.protocol import DIMENSIONS, DayClicks, LinkStats, LinkTotals, ValueClicks
from hopline.shortener.clicks.segment import segment_ms
from hopline.shortener.clicks.sqlite import SqliteClickStore
from hopline.shortener.links.link import StoreUnavailable
from tests.shortener.clicks.clicking import CHROME, DAY, IPHONE, NOW, Folder, click

GOOGLEBOT = b"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
DAY_MS = 86_400_000
MIDNIGHT = NOW * 1000 // DAY_MS * DAY_MS


def count(folder: Folder, *payloads: bytes) -> None:
    folder.write(*payloads)
    with closing(folder.ingester()) as ingester:
        while ingester.run_once().records:
            pass


def ask(folder: Folder, link: int = 1, first: str = DAY, last: str = DAY) -> LinkStats:
    async def stats() -> LinkStats:
        store = SqliteClickStore(folder.database)
        try:
            return await store.stats(link, first, last)
        finally:
            await store.close()

    return asyncio.run(stats())


def test_clicks_are_humans_and_bots_and_nothing_else(folder: Folder) -> None:
    count(
        folder,
        *[click(agent=CHROME, time_ms=NOW * 1000 + number) for number in range(3)],
        *[click(agent=GOOGLEBOT)] * 2,
        *[click(kind=ClickKind.HEAD, time_ms=NOW * 1000 + 99)] * 4,
        *[click(kind=ClickKind.PREFETCH)] * 5,
    )
    stats = ask(folder)
    assert stats.totals == LinkTotals(5, 3, 2, 4, 5, last_click=NOW * 1000 + 2)
    assert stats.days == [DayClicks(DAY, 5, 3, 2, 1)]


def test_a_link_that_was_only_asked_about_has_no_last_click(folder: Folder) -> None:
    count(folder, click(kind=ClickKind.HEAD))
    assert ask(folder).totals == LinkTotals(heads=1, last_click=None)
    count(folder, click(time_ms=NOW * 1000 - 7))
    count(folder, click(kind=ClickKind.HEAD))
    assert ask(folder).totals == LinkTotals(clicks=1, humans=1, heads=2, last_click=NOW * 1000 - 7)


def test_the_last_click_is_the_latest_whatever_the_order_of_reading(folder: Folder) -> None:
    count(folder, click(time_ms=NOW * 1000 + 5), click(time_ms=NOW * 1000 - 5))
    count(folder, click(time_ms=NOW * 1000))
    assert ask(folder).totals.last_click == NOW * 1000 + 5


def test_breakdowns_tell_humans_by_what_they_use_and_bots_by_name(folder: Folder) -> None:
    count(
        folder,
        *[
            click(
                agent=CHROME,
                referrer=b"https://www.News.example/x?y",
                language=b"de-AT,en;q=0.5",
                query=b"utm_source=mail&utm_medium=email&utm_campaign=May+sale",
            )
        ]
        * 2,
        click(agent=IPHONE, country=b"\0\0"),
        click(agent=GOOGLEBOT, country=b"US", referrer=b"https://bots.example/"),
        click(agent=IPHONE, kind=ClickKind.HEAD, referrer=b"https://heads.example/"),
    )
    breakdowns = ask(folder).breakdowns
    assert breakdowns == {
        "browser": [ValueClicks("Chrome", 2), ValueClicks("Mobile Safari", 1)],
        "os": [ValueClicks("Windows", 2), ValueClicks("iOS", 1)],
        "device": [ValueClicks("desktop", 2), ValueClicks("mobile", 1)],
        "country": [ValueClicks("DE", 2)],
        "referrer": [ValueClicks("news.example", 2), ValueClicks("(direct)", 1)],
        "language": [ValueClicks("de", 2)],
        "utm_source": [ValueClicks("mail", 2)],
        "utm_medium": [ValueClicks("email", 2)],
        "utm_campaign": [ValueClicks("May sale", 2)],
        "bot": [ValueClicks("Googlebot", 1)],
    }


def test_days_end_at_midnight_utc(folder: Folder) -> None:
    count(folder, click(time_ms=MIDNIGHT - 1), click(time_ms=MIDNIGHT), click(time_ms=MIDNIGHT + DAY_MS - 1))
    days = ask(folder, first="2026-01-29", last="2026-02-01").days
    assert [(day.day, day.clicks, day.visitors) for day in days] == [
        ("2026-01-29", 0, 0),
        ("2026-01-30", 1, 1),
        ("2026-01-31", 2, 1),
        ("2026-02-01", 0, 0),
    ]


def test_totals_are_of_all_time_and_the_rest_of_the_range(folder: Folder) -> None:
    count(folder, click(time_ms=MIDNIGHT - 1, agent=IPHONE), click())
    stats = ask(folder)
    assert (stats.totals.clicks, stats.days[0].clicks) == (2, 1)
    assert stats.breakdowns["browser"] == [ValueClicks("Chrome", 1)]
    both = ask(folder, first="2026-01-30")
    assert both.visitors == 2, "one visitor on two days can't be recognised: daily uniques add up"


@pytest.mark.parametrize("time_ms", [0, 1_500_000_000_000, (NOW + 86_401) * 1000, 2**64 - 1])
def test_a_time_that_can_not_be_is_replaced_by_the_segments(folder: Folder, time_ms: int) -> None:
    count(folder, click(time_ms=time_ms))
    assert ask(folder).totals.last_click == segment_ms(folder.segments()[0].name) == NOW * 1000
    assert ask(folder).days[0].clicks == 1


def test_a_clock_that_is_a_little_ahead_is_believed(folder: Folder) -> None:
    count(folder, click(time_ms=(NOW + 86_399) * 1000))
    assert ask(folder).totals.last_click == (NOW + 86_399) * 1000


def test_visitors_are_people_with_a_browser_and_not_clicks(folder: Folder) -> None:
    count(
        folder,
        *[click(visitor=1)] * 5,
        click(visitor=1, agent=IPHONE),
        click(visitor=2),
        click(visitor=3, agent=GOOGLEBOT),
        click(visitor=4, kind=ClickKind.PREFETCH),
    )
    count(folder, click(visitor=2), click(visitor=1, referrer=b"https://elsewhere.example/"))
    assert ask(folder).visitors == 3


def test_many_visitors_are_estimated_over_batches(folder: Folder) -> None:
    hashes = [Random(number).getrandbits(64) for number in range(1250)]
    for batch in range(4):
        count(folder, *[click(visitor=value) for value in hashes[batch * 250 : batch * 250 + 500]])
    assert ask(folder).visitors == pytest.approx(1250, rel=0.08)


def test_up_to_100_values_are_all_kept(folder: Folder) -> None:
    count(folder, *[click(referrer=b"https://s%d.example/" % number) for number in range(100)])
    assert values_stored(folder, "referrer") == 100


def values_stored(folder: Folder, dimension: str) -> int:
    with closing(sqlite3.connect(folder.database)) as connection:
        number: int = connection.execute(
            "SELECT count(*) FROM breakdown WHERE dimension = ?", (DIMENSION_IDS[dimension],)
        ).fetchone()[0]
        return number


def test_beyond_that_the_50_most_clicked_stay_and_none_is_lost_from_the_sum(folder: Folder) -> None:
    count(
        folder,
        *[click(referrer=b"https://s%03d.example/" % number) for number in range(120) for _ in range(number + 1)],
    )
    referrers = ask(folder).breakdowns["referrer"]
    assert values_stored(folder, "referrer") == 51
    assert [value.value for value in referrers] == ["(other)"] + [f"s{n:03d}.example" for n in range(119, 69, -1)]
    assert sum(value.clicks for value in referrers) == 120 * 121 // 2
    assert values_stored(folder, "browser") == 1, "other dimensions of the day are left alone"


def test_a_flood_of_junk_can_not_push_out_real_values(folder: Folder) -> None:
    count(folder, *[click(referrer=b"https://real%d.example/" % (n % 10)) for n in range(100)])
    for wave in range(6):
        count(folder, *[click(referrer=b"https://junk%d-%d.example/" % (wave, n)) for n in range(90)])
        assert values_stored(folder, "referrer") <= 101
    shown = {value.value: value.clicks for value in ask(folder).breakdowns["referrer"]}
    assert [shown[f"real{n}.example"] for n in range(10)] == [10] * 10
    assert sum(shown.values()) == 100 + 6 * 90


def test_a_long_range_shows_50_values_and_the_rest_as_one(folder: Folder) -> None:
    count(
        folder,
        *[
            click(time_ms=MIDNIGHT - day * DAY_MS, query=b"utm_source=d%d-%d" % (day, n))
            for day in range(3)
            for n in range(60)
        ],
    )
    sources = ask(folder, first="2026-01-29").breakdowns["utm_source"]
    assert len(sources) == 51
    assert sources[0] == ValueClicks("(other)", 130)


def test_links_and_days_overflow_on_their_own(folder: Folder) -> None:
    many = [b"https://s%d.example/" % number for number in range(101)]
    count(folder, *[click(link=1, referrer=r) for r in many], *[click(link=2, referrer=r) for r in many[:60]])
    assert len(ask(folder, link=1).breakdowns["referrer"]) == 51
    assert values_stored(folder, "referrer") == 51 + 60


def test_every_dimension_has_a_number_of_its_own() -> None:
    assert set(DIMENSION_IDS) == set(DIMENSIONS)
    assert len(set(DIMENSION_IDS.values())) == len(DIMENSIONS)


def test_without_a_database_everything_is_zero(folder: Folder) -> None:
    stats = ask(folder, first="2026-01-30")
    assert stats.totals == LinkTotals()
    assert [day.day for day in stats.days] == ["2026-01-30", "2026-01-31"]
    assert stats.breakdowns == {name: [] for name in DIMENSIONS}
    assert not folder.database.exists(), "a reader makes no files"


async def test_a_store_sees_the_database_once_it_is_there(folder: Folder) -> None:
    store = SqliteClickStore(folder.database)
    assert await store.totals([1]) == {}
    await asyncio.to_thread(count, folder, click(), click(link=2))
    assert await store.totals([1, 2, 3]) == {number: LinkTotals(1, 1, 0, 0, 0, NOW * 1000) for number in (1, 2)}
    assert await store.totals([]) == {}
    await store.close()
    await store.close()


async def test_a_database_without_tables_yet_is_zero(folder: Folder) -> None:
    folder.database.touch()
    store = SqliteClickStore(folder.database)
    assert await store.totals([1]) == {}
    await store.close()


async def test_a_broken_database_is_unavailable_and_not_zero(folder: Folder) -> None:
    folder.database.write_bytes(b"this is no database at all" * 100)
    store = SqliteClickStore(folder.database)
    with pytest.raises(StoreUnavailable, match="click statistics can't be read"):
        await store.totals([1])
    await store.close()


@pytest.mark.parametrize(
    ("first", "last"), [("2026-01-31", "2026-01-30"), ("2024-01-01", "2026-01-01"), ("yesterday", "2026-01-01")]
)
async def test_a_range_that_is_none_is_refused(folder: Folder, first: str, last: str) -> None:
    store = SqliteClickStore(folder.database)
    with pytest.raises(ValueError, match=r"day|isoformat"):
        await store.stats(1, first, last)
    await store.close()


async def test_366_days_are_a_range(folder: Folder) -> None:
    store = SqliteClickStore(folder.database)
    assert len((await store.stats(1, "2024-01-01", "2024-12-31")).days) == 366
    await store.close()
