"""What every store of links promises, as checks that run against any of them.

Each check is an async function of a fresh, open store. `LINK_STORE_CHECKS` lists them all; a test parametrised over
it proves a store.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from hopline.errors import HoplineError
from hopline.shortener.links.link import CodeTaken, Link, LinkChanges, LinkQuery, NewLink
from hopline.shortener.links.protocol import LinkStore

__all__ = ["LINK_STORE_CHECKS", "Check", "PromiseBroken"]

Check = Callable[[LinkStore], Awaitable[None]]


class PromiseBroken(HoplineError, AssertionError):
    """A store did not do what every store of links must."""


def _expect(holds: bool, promise: str) -> None:
    if not holds:
        raise PromiseBroken(promise)


async def _one(store: LinkStore, new: NewLink) -> Link:
    (made,) = await store.create([new])
    if not isinstance(made, Link):
        raise PromiseBroken(f"{new!r} could not be stored: {made!r}")
    return made


async def stored_links_are_found_by_their_code(store: LinkStore) -> None:
    """All that was given comes back, under a computed code and under a custom one."""
    plain = await _one(store, NewLink("https://example.com/"))
    full = await _one(store, NewLink("https://example.com/2", "my/code", "user 7", 1_900_000_000_000, 308))
    _expect(await store.get(plain.code) == plain, "a computed code finds its link")
    _expect(await store.get("my/code") == full, "a custom code finds its link")
    _expect(len(plain.code) == 6 and not plain.custom and full.custom, "a computed code has six characters")
    _expect(
        (full.url, full.user_id, full.expires_at, full.redirect_status)
        == ("https://example.com/2", "user 7", 1_900_000_000_000, 308),
        "everything given is kept",
    )
    _expect(await store.get("nosuch") is None and await store.get("no such code") is None, "other codes find nothing")


async def a_taken_code_spoils_only_its_own_entry(store: LinkStore) -> None:
    """Of many new links those with a taken code are refused, in their place."""
    first = await _one(store, NewLink("https://example.com/", "taken"))
    answers = await store.create([NewLink("https://a.example/"), NewLink("https://b.example/", "taken")])
    _expect(isinstance(answers[0], Link) and answers[1] == CodeTaken("taken"), "answers come in order")
    twice = await store.create([NewLink("https://a.example/", "twin"), NewLink("https://b.example/", "twin")])
    _expect(isinstance(twice[0], Link) and twice[1] == CodeTaken("twin"), "a code is taken by its own neighbour too")
    _expect(await store.get("taken") == first, "the link that had the code keeps it")


async def a_computed_code_can_not_be_chosen_by_another(store: LinkStore) -> None:
    """What was given out is taken."""
    made = await _one(store, NewLink("https://example.com/"))
    _expect(await store.create([NewLink("https://b.example/", made.code)]) == [CodeTaken(made.code)], "it is taken")


async def changes_change_what_they_name(store: LinkStore) -> None:
    """A field that is not named stays; None takes a value away."""
    made = await _one(store, NewLink("https://example.com/", None, "me", 1_900_000_000_000))
    changed = await store.update(made.code, LinkChanges(url="https://example.org/", expires_at=None))
    _expect(changed is not None and changed.url == "https://example.org/", "the named field changes")
    _expect(changed is not None and changed.expires_at is None and changed.user_id == "me", "others stay")
    _expect(await store.get(made.code) == changed, "the change is what is found")
    _expect(await store.update("nosuch", LinkChanges(url="https://x.example/")) is None, "nothing to change says so")


async def deleted_links_are_gone_and_their_custom_code_is_free(store: LinkStore) -> None:
    """A computed code never comes back, a custom one may be taken again."""
    plain = await _one(store, NewLink("https://example.com/"))
    await _one(store, NewLink("https://example.com/", "again"))
    _expect(await store.delete(plain.code) and await store.delete("again"), "what is there is deleted")
    _expect(not await store.delete("again"), "what is not there is not")
    _expect(await store.get(plain.code) is None and await store.get("again") is None, "it is found no more")
    _expect((await _one(store, NewLink("https://b.example/", "again"))).custom, "the custom code is free")
    stolen = await store.create([NewLink("https://evil.example/", plain.code)])
    _expect(stolen == [CodeTaken(plain.code)], "nobody can choose a computed code that was given out")


async def pages_hold_every_link_once_newest_first(store: LinkStore) -> None:
    """Following the cursor meets each link once, also those of one user alone."""
    await store.create([NewLink(f"https://example.com/{n}", None, "me" if n % 2 else None) for n in range(25)])
    for user, count in ((None, 25), ("me", 12)):
        seen: list[Link] = []
        before: int | None = None
        while True:
            page = await store.page(LinkQuery(limit=10, before=before, user_id=user))
            _expect(len(page.links) <= 10, "a page keeps to its limit")
            seen += page.links
            before = page.next_before
            if before is None:
                break
        ids = [link.id for link in seen]
        _expect(len(ids) == count and ids == sorted(set(ids), reverse=True), "each link once, newest first")


async def a_search_finds_parts_of_addresses_and_codes(store: LinkStore) -> None:
    """Case doesn't matter, and what looks like a pattern is only text."""
    made = await _one(store, NewLink("https://example.com/Spring_100%25"))
    await _one(store, NewLink("https://example.org/", "summer-sale"))
    await _one(store, NewLink("https://umlaut.test/", "\u00dcberblick"))
    for search, count in (
        ("SPRING", 1),
        ("summer", 1),
        ("_100%", 1),
        ("%", 1),
        ("example", 2),
        (made.code, 1),
        ("\u00dcber", 1),
        ("U\u0308ber", 1),
        ("zzz", 0),
    ):
        page = await store.page(LinkQuery(search=search))
        _expect(len(page.links) == count, f"a search for {search!r} finds {count}, not {len(page.links)}")


async def writes_at_once_are_all_kept(store: LinkStore) -> None:
    """Fifty tasks write at once; every answer holds."""
    made = await asyncio.gather(*(_one(store, NewLink(f"https://example.com/{n}")) for n in range(50)))
    _expect(len({link.code for link in made}) == 50, "codes differ")
    for link in made:
        _expect(await store.get(link.code) == link, "each is there")
    _expect(store.stats().created == 50, "and each is counted")


LINK_STORE_CHECKS: Final[tuple[Check, ...]] = (
    stored_links_are_found_by_their_code,
    a_taken_code_spoils_only_its_own_entry,
    a_computed_code_can_not_be_chosen_by_another,
    changes_change_what_they_name,
    deleted_links_are_gone_and_their_custom_code_is_free,
    pages_hold_every_link_once_newest_first,
    a_search_finds_parts_of_addresses_and_codes,
    writes_at_once_are_all_kept,
)
