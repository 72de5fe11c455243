"""A copy is whole while links are being made, and a restored one never gives out a code again."""

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from hopline.shortener.links.backup import LEAST, advance_counter, backup_links
from hopline.shortener.links.link import Link, NewLink
from hopline.shortener.links.sqlite import SqliteLinkStore
from hopline.shortener.links.versions import VersionTable


async def make(folder: Path, count: int) -> list[Link]:
    with VersionTable(folder / "v") as versions:
        async with SqliteLinkStore(folder / "links.db", versions) as store:
            made = await store.create([NewLink(f"https://example.com/{n}") for n in range(count)])
    return [link for link in made if isinstance(link, Link)]


async def test_a_copy_made_while_writing_holds_what_was_there_before(tmp_path: Path) -> None:
    with VersionTable(tmp_path / "v") as versions:
        async with SqliteLinkStore(tmp_path / "links.db", versions) as store:
            before = await store.create([NewLink(f"https://example.com/{n}") for n in range(500)])
            writing = [store.create([NewLink("https://example.org/")] * 100) for _ in range(20)]
            copying = asyncio.to_thread(backup_links, tmp_path / "links.db", tmp_path / "copy.db")
            await asyncio.gather(copying, *writing)
        async with SqliteLinkStore(tmp_path / "copy.db", versions) as copy:
            assert [await copy.get(link.code) for link in before if isinstance(link, Link)] == before
    with closing(sqlite3.connect(tmp_path / "copy.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_restored_counter_starts_past_what_was_made_since(tmp_path: Path) -> None:
    await make(tmp_path, 10)
    backup_links(tmp_path / "links.db", tmp_path / "copy.db")
    lost = await make(tmp_path, 3000)
    for leftover in tmp_path.glob("links.db*"):
        leftover.unlink()
    (tmp_path / "copy.db").rename(tmp_path / "links.db")

    assert advance_counter(tmp_path / "links.db", time.time()) == LEAST
    fresh = await make(tmp_path, 3000)

    assert not {link.code for link in fresh} & {link.code for link in lost}
    assert min(link.id for link in fresh) > max(link.id for link in lost)


async def test_the_reckoning_grows_with_the_days_and_the_busiest_of_them(tmp_path: Path) -> None:
    await make(tmp_path, 1)
    with sqlite3.connect(tmp_path / "links.db") as connection:
        connection.execute("INSERT INTO lease_days VALUES (1, 5000000)")
    connection.close()

    skipped = advance_counter(tmp_path / "links.db", time.time() - 9 * 86_400)

    assert skipped == pytest.approx(10 * 5_000_000 * 10, rel=0.001)
    assert advance_counter(tmp_path / "links.db", time.time(), skip=7) == 7
    with pytest.raises(ValueError, match="only goes forward"):
        advance_counter(tmp_path / "links.db", time.time(), skip=-1)
