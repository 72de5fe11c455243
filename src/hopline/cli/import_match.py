"""Looking on the server for the links of a batch whose answer was never seen.

Bulk creation has no idempotency key, so a client that died between sending a batch and recording its answer can't
know whether it was done. But it recorded, before sending, a moment of the server's clock: what the batch made is
dated from then on, and links are listed newest first. A link is taken for a row's if it is new enough, has a
generated code, and carries the row's URL (as the server normalises it) and owner. Ids are leased in blocks, one
series a server process, so newer links may stand behind older ones for as many entries as blocks are in use: the
search goes on until it has seen `_PATIENCE` older links since the last new one.

Rows with custom codes need no search: sent again, they are refused as taken, and a look at the link tells.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from hopline.cli.api import Api, LinkInfo

__all__ = ["find_created", "match_key", "milliseconds", "same_target"]

_PAGE: Final = 200
_PATIENCE: Final = 20_000

_Key = tuple[str, str | None]


def find_created(
    api: Api, links: Sequence[Mapping[str, object]], since_ms: int, known: Sequence[str]
) -> dict[int, LinkInfo]:
    """Which of `links`, by index, were created at `since_ms` or later and aren't among the codes `known`."""
    wanted: defaultdict[_Key, list[int]] = defaultdict(list)
    for index in reversed(range(len(links))):
        if "custom_code" not in links[index]:
            wanted[match_key(links[index])].append(index)
    missing = sum(map(len, wanted.values()))
    skipped = set(known)
    found: dict[int, LinkInfo] = {}
    older = 0
    for page in api.pages(_PAGE):
        for link in page.links:
            if milliseconds(link.created_at) < since_ms:
                older += 1
                continue
            older = 0
            rows = wanted.get((link.url, link.user_id))
            if rows and not link.custom and link.short_code not in skipped:
                found[rows.pop()] = link
        if len(found) == missing or older >= _PATIENCE:
            break
    return found


def match_key(link: Mapping[str, object]) -> _Key:
    """What a row and the link made of it have in common."""
    user_id = link.get("user_id")
    return _normalised(str(link["url"])), None if user_id is None else str(user_id)


def same_target(row: Mapping[str, object], link: LinkInfo) -> bool:
    """Whether `link` leads where `row` asks to lead."""
    return link.url == _normalised(str(row["url"]))


def milliseconds(moment: str) -> int:
    """An ISO 8601 moment of the API in ms since 1970; zero where there is none."""
    try:
        return round(datetime.fromisoformat(moment).timestamp() * 1000)
    except ValueError:
        return 0


def _normalised(url: str) -> str:
    from hopline.shortener.links.link import InvalidLink
    from hopline.shortener.links.urls import UrlRules, normalise_url

    try:
        return normalise_url(url, UrlRules(own_hosts=frozenset(), allow_credentials=True, max_length=1 << 20))
    except InvalidLink:
        return url
