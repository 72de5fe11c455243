"""Links and their clicks as JSON. Times are ISO 8601 in UTC, days are UTC days."""

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote

import msgspec
from msgspec import UNSET, UnsetType

from hopline.http import Response
from hopline.shortener.api.problems import NO_STORE
from hopline.shortener.clicks.protocol import DIMENSIONS, LinkStats
from hopline.shortener.links.link import Link
from hopline.shortener.links.moments import iso

__all__ = ["LinkDocument", "json_answer", "link_document", "resource", "stats_document"]

_REMEMBERED: Final = (301, 308)


class LinkDocument(msgspec.Struct, frozen=True):
    """A link. `clicks` stands in answers about links that are there, null while clicks can't be read."""

    short_code: str
    short_url: str
    url: str
    custom: bool
    created_at: str
    updated_at: str
    expires_at: str | None
    user_id: str | None
    redirect_status: int
    clicks: int | UnsetType | None = UNSET
    warnings: list[str] | UnsetType = UNSET


def link_document(link: Link, short_url: str, clicks: int | UnsetType | None = UNSET) -> LinkDocument:
    """`link` as it is shown."""
    created = iso(link.created_at)
    return LinkDocument(
        link.code,
        short_url,
        link.url,
        link.custom,
        created,
        created if link.updated_at == link.created_at else iso(link.updated_at),
        None if link.expires_at is None else iso(link.expires_at),
        link.user_id,
        link.redirect_status,
        clicks,
        _warnings(link),
    )


def _warnings(link: Link) -> list[str] | UnsetType:
    if link.redirect_status not in _REMEMBERED:
        return UNSET
    return [
        f"browsers remember a {link.redirect_status} and follow it by themselves: later clicks of the same visitor "
        "are not counted, and a change or an expiry reaches them late; 302 and 307 have neither effect"
    ]


def stats_document(link: Link, stats: LinkStats) -> dict[str, Any]:
    """The clicks of `link`: totals are of all time, everything else of the days `from` … `to`.

    `visitors` is a sum over those days: nobody is recognised from one day to the next.
    """
    totals = stats.totals
    document: dict[str, Any] = {
        "short_code": link.code,
        "clicks": totals.clicks,
        "humans": totals.humans,
        "bots": totals.bots,
        "heads": totals.heads,
        "prefetches": totals.prefetches,
        "last_click": None if totals.last_click is None else iso(totals.last_click),
        "from": stats.days[0].day,
        "to": stats.days[-1].day,
        "visitors": stats.visitors,
        "by_day": stats.days,
    }
    for dimension in DIMENSIONS:
        document[f"by_{dimension}"] = stats.breakdowns.get(dimension, ())
    return document


def resource(link: Link) -> str:
    """The path under which the API knows `link`; a slash in its code is encoded, so that the code is one segment."""
    return f"/api/v1/links/{quote(link.code, safe='')}"


def json_answer(value: object, status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> Response:
    """`value` as JSON."""
    return Response(msgspec.json.encode(value), status, content_type="application/json", headers=(NO_STORE, *headers))
