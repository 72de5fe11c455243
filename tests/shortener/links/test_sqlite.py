"""SQLite as a store of links: what every store promises, and what only this one has to prove."""

import asyncio
import multiprocessing
import os
import signal
import sqlite3
import threading
from collections.abc import Awaitable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from hopline.shortener.links.link import CodeTaken, Link, LinkChanges, LinkQuery, NewLink, StoreUnavailable
from hopline.shortener.links.sqlite import SqliteLinkStore
from hopline.shortener.links.sqlite_rows import CodeTaste, LinkRows, SchemaTooNew, connect, prepare
from hopline.shortener.links.versions import VersionTable
from hopline.testing.link_store import LINK_STORE_CHECKS, Check

FORK = multiprocessing.get_context("fork")


def links(made: Sequence[Link | CodeTaken]) -> list[Link]:
    return [link for link in made if isinstance(link, Link)]


@pytest.mark.parametrize("check", LINK_STORE_CHECKS, ids=lambda check: check.__name__)
async def test_it_keeps_the_promises_of_every_store(check: Check, tmp_path: Path) -> None:
    with VersionTable(tmp_path / "v") as versions:
        async with SqliteLinkStore(tmp_path / "links.db", versions) as store:
            await check(store)


async def test_links_survive_a_restart_under_the_same_codes(tmp_path: Path) -> None:
    with VersionTable(tmp_path / "v") as versions:
        async with SqliteLinkStore(tmp_path / "links.db", versions) as store:
            made = links(await store.create([NewLink("https://example.com/"), NewLink("https://b.example/", "b")]))
        async with SqliteLinkStore(tmp_path / "links.db", versions) as store:
            assert [await store.get(link.code) for link in made] == made


def create_in_a_process(folder: Path, count: int, report: Path) -> None:
    async def run() -> None:
        with VersionTable(folder / "v") as versions:
            async with SqliteLinkStore(folder / "links.db", versions, block_size=16) as store:
                for n in range(count):
                    made.extend(links(await store.create([NewLink(f"https://example.com/{n}")])))

    made: list[Link] = []
    asyncio.run(run())
    report.write_text("\n".join(link.code for link in made))


def test_processes_that_lease_blocks_never_collide(tmp_path: Path) -> None:
    children = [
        FORK.Process(target=create_in_a_process, args=(tmp_path, 200, tmp_path / f"codes-{n}")) for n in range(3)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
        assert child.exitcode == 0

    codes = [code for n in range(3) for code in (tmp_path / f"codes-{n}").read_text().split()]
    assert len(codes) == len(set(codes)) == 600
    with closing(sqlite3.connect(tmp_path / "links.db")) as connection:
        assert connection.execute("SELECT count(*) FROM links").fetchone() == (600,)


def test_what_was_answered_before_a_kill_is_there_after_it(tmp_path: Path) -> None:
    """A child reports each code once its creation has returned, and is killed in the middle."""
    read, write = os.pipe()

    def run_until_killed() -> None:
        async def run() -> None:
            with VersionTable(tmp_path / "v") as versions:
                async with SqliteLinkStore(tmp_path / "links.db", versions) as store:
                    while True:
                        for link in links(await store.create([NewLink("https://example.com/")] * 3)):
                            os.write(write, f"{link.code}\n".encode())

        asyncio.run(run())

    child = FORK.Process(target=run_until_killed)
    child.start()
    os.close(write)
    reported = b""
    while reported.count(b"\n") < 300:
        reported += os.read(read, 65_536)
    os.kill(child.pid or 0, signal.SIGKILL)
    child.join(10)
    while more := os.read(read, 65_536):
        reported += more
    os.close(read)
    codes = reported.decode().split("\n")[:-1]

    async def check() -> None:
        with VersionTable(tmp_path / "v") as versions:
            versions.repair()
            async with SqliteLinkStore(tmp_path / "links.db", versions) as store:
                assert [code for code in codes if await store.get(code) is None] == []
                (fresh,) = links(await store.create([NewLink("https://example.com/")]))
                assert fresh.code not in codes

    asyncio.run(check())


async def test_a_generated_code_moves_on_where_it_meets_a_custom_one(tmp_path: Path) -> None:
    permutation = prepare(tmp_path / "links.db")
    taken = [permutation.encode(link_id) for link_id in (2, 3)]
    with VersionTable(tmp_path / "v") as versions:
        async with SqliteLinkStore(tmp_path / "links.db", versions, taste=CodeTaste(avoid_rude=False)) as store:
            await store.create([NewLink("https://a.example/", code) for code in taken])  # ids 0 and 1
            made = links(await store.create([NewLink("https://b.example/")] * 2))

            assert [link.id for link in made] == [4, 5]
            assert [(await store.get(code)) is not None for code in taken] == [True, True]


async def test_a_link_with_a_custom_code_has_no_second_code(tmp_path: Path) -> None:
    permutation = prepare(tmp_path / "links.db")
    with VersionTable(tmp_path / "v") as versions:
        async with SqliteLinkStore(tmp_path / "links.db", versions) as store:
            (made,) = links(await store.create([NewLink("https://a.example/", "mine")]))
            hidden = permutation.encode(made.id)

            assert await store.get(hidden) is None
            assert links(await store.create([NewLink("https://b.example/", hidden)]))[0].code == hidden


async def test_codes_that_look_alike_are_passed_over_when_asked(tmp_path: Path) -> None:
    taste = CodeTaste(avoid_lookalikes=True)
    with VersionTable(tmp_path / "v") as versions:
        async with SqliteLinkStore(tmp_path / "links.db", versions, taste=taste) as store:
            made = links(await store.create([NewLink("https://example.com/")] * 200))

    assert not set("".join(link.code for link in made)) & set("0Oo1lI5S2Z8B")


async def test_every_write_of_a_code_moves_its_slot(tmp_path: Path) -> None:
    with VersionTable(tmp_path / "v") as versions:
        async with SqliteLinkStore(tmp_path / "links.db", versions) as store:
            slot = versions.slot("mine")
            seen = [versions.slots[slot]]
            await store.create([NewLink("https://a.example/", "mine")])
            seen.append(versions.slots[slot])
            await store.update("mine", LinkChanges(url="https://b.example/"))
            seen.append(versions.slots[slot])
            await store.delete("mine")
            seen.append(versions.slots[slot])

    assert seen == sorted(set(seen))
    assert all(version % 2 == 0 for version in seen)


async def test_a_database_that_is_locked_is_unavailable_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hopline.shortener.links.sqlite_rows.BUSY_SECONDS", 0.05)
    with VersionTable(tmp_path / "v") as versions:
        async with SqliteLinkStore(tmp_path / "links.db", versions) as store:
            blocker = sqlite3.connect(tmp_path / "links.db", isolation_level=None)
            blocker.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match="locked"):
                await store.create([NewLink("https://a.example/")])
            blocker.execute("ROLLBACK")
            blocker.close()
            (made,) = links(await store.create([NewLink("https://a.example/")]))

            assert await store.get(made.code) == made
            assert store.stats().errors == 1


async def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's own limit of pages ends writes exactly as a full disk does: SQLITE_FULL."""
    opened: list[sqlite3.Connection] = []

    def connect_and_tell(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
        opened.append(connect(path, read_only=read_only))
        return opened[-1]

    monkeypatch.setattr("hopline.shortener.links.sqlite.connect", connect_and_tell)
    with VersionTable(tmp_path / "v") as versions:
        async with SqliteLinkStore(tmp_path / "links.db", versions) as store:
            before = links(await store.create([NewLink("https://a.example/"), NewLink("https://a.example/", "mine")]))
            opened[0].execute("PRAGMA max_page_count = 1")  # SQLite keeps what there is and adds none
            with pytest.raises(StoreUnavailable, match="full"):
                await store.create([NewLink("https://example.com/" + "x" * 5_000, "other")])
            opened[0].execute("PRAGMA max_page_count = 1000000")

            assert await store.get("other") is None
            assert [await store.get(link.code) for link in before] == before
            assert versions.slots[versions.slot("other")] % 2 == 0
            assert links(await store.create([NewLink("https://b.example/", "other")]))[0].code == "other"


async def test_a_damaged_database_is_unavailable_and_no_fault_of_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def malformed(*_: object) -> Link:
        raise sqlite3.DatabaseError("database disk image is malformed")

    with VersionTable(tmp_path / "v") as versions:
        async with SqliteLinkStore(tmp_path / "links.db", versions) as store:
            monkeypatch.setattr(LinkRows, "create", malformed)
            with pytest.raises(StoreUnavailable, match="malformed"):
                await store.create([NewLink("https://a.example/")])


async def test_a_search_that_takes_too_long_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hopline.shortener.links.sqlite.SEARCH_SECONDS", 0.0)
    with VersionTable(tmp_path / "v") as versions:
        async with SqliteLinkStore(tmp_path / "links.db", versions) as store:
            made = links(await store.create([NewLink(f"https://example.com/{n}") for n in range(5_000)]))
            with pytest.raises(StoreUnavailable, match="among one user's links"):
                await store.page(LinkQuery(search="nowhere"))

            assert await store.get(made[0].code) == made[0]


async def test_a_store_that_can_not_be_opened_says_so_and_leaves_no_thread(tmp_path: Path) -> None:
    with VersionTable(tmp_path / "v") as versions:
        store = SqliteLinkStore(tmp_path / "missing" / "links.db", versions)
        with pytest.raises(sqlite3.OperationalError, match="unable to open"):
            await store.open()
        with pytest.raises(StoreUnavailable, match="closed"):
            await store.create([NewLink("https://a.example/")])
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("hopline-links")]


async def test_a_code_nobody_was_given_is_not_found_by_search(tmp_path: Path) -> None:
    permutation = prepare(tmp_path / "links.db")
    with VersionTable(tmp_path / "v") as versions:
        async with SqliteLinkStore(tmp_path / "links.db", versions) as store:
            (made,) = links(await store.create([NewLink("https://a.example/", "mine")]))

            assert (await store.page(LinkQuery(search=permutation.encode(made.id)))).links == []


async def test_a_write_that_breaks_is_the_only_one_that_fails(tmp_path: Path) -> None:
    with VersionTable(tmp_path / "v") as versions:
        async with SqliteLinkStore(tmp_path / "links.db", versions) as store:
            broken = NewLink("https://a.example/", redirect_status="three")  # type: ignore[arg-type]
            good = [store.create([NewLink(f"https://example.com/{n}")]) for n in range(5)]
            results = await asyncio.gather(*good, store.create([broken]), return_exceptions=True)

            assert [type(result) for result in results] == [list] * 5 + [sqlite3.IntegrityError]
            assert store.stats().created == 5


async def test_a_queue_that_is_full_refuses_and_says_when_to_come_back(tmp_path: Path) -> None:
    with VersionTable(tmp_path / "v") as versions:
        async with SqliteLinkStore(tmp_path / "links.db", versions, queue_size=100) as store:
            writes = [store.create([NewLink("https://a.example/")] * 60) for _ in range(20)]
            results = await asyncio.gather(*writes, return_exceptions=True)

            refused = [result for result in results if isinstance(result, StoreUnavailable)]
            assert refused
            assert refused[0].retry_after == 1
            assert store.stats().created == 60 * (20 - len(refused))


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    with VersionTable(tmp_path / "v") as versions:
        store = SqliteLinkStore(tmp_path / "links.db", versions)
        await store.open()
        await store.close()
        await store.close()
        calls: list[Awaitable[object]] = [store.create([NewLink("https://a.example/")]), store.get("abc123")]
        for call in calls:
            with pytest.raises(StoreUnavailable, match="closed"):
                await call


def test_a_database_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    prepare(tmp_path / "links.db")
    with sqlite3.connect(tmp_path / "links.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(SchemaTooNew, match="schema 99"):
        prepare(tmp_path / "links.db")
