"""The handlers of /api/v1/links and /shorten."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Raw

from hopline.http import Request, Response
from hopline.shortener.api.problems import Problem, invalid, no_link, problem_body, problem_of
from hopline.shortener.api.reading import (
    BulkBody,
    ChangeBody,
    LinkBody,
    ShortenBody,
    read_body,
    read_number,
    read_query,
    read_row,
)
from hopline.shortener.api.showing import LinkDocument, json_answer, link_document, resource, stats_document
from hopline.shortener.links.link import InvalidLink, Link, LinkQuery, StoreUnavailable
from hopline.shortener.links.service import CodeConflict, LinkInput, LinkService

__all__ = ["LinksResource"]

MOST_LINKS: Final = 1000  # of one bulk request, and of one page
DEFAULT_PAGE: Final = 50
LONGEST_SEARCH: Final = 512  # characters
TURN: Final = 100  # links shown between two turns of the loop, some 1 ms
_LAST_ID: Final = (1 << 63) - 1


class LinksResource:
    """Answers for links. Task-safe; who may call what is decided where the routes are."""

    def __init__(self, service: LinkService) -> None:
        self._service = service

    async def create(self, request: Request) -> Response:
        """POST /api/v1/links: 201 with the link."""
        link = await self._made(read_body(request, LinkBody).wanted())
        return json_answer(self._shown(link), 201, (("location", resource(link)),))

    async def shorten(self, request: Request) -> Response:
        """POST /shorten: 201 with code and address only."""
        body = read_body(request, ShortenBody)
        link = await self._made(LinkInput(body.url, body.custom_code, body.user_id))
        document = {"short_code": link.code, "short_url": self._service.short_url(link)}
        return json_answer(document, 201, (("location", resource(link)),))

    async def create_many(self, request: Request) -> Response:
        """POST /api/v1/links/bulk: 200 with one result for each link sent, in order."""
        rows = read_body(request, BulkBody).links
        if len(rows) > MOST_LINKS:
            raise invalid("links", f"these are {len(rows)} links; send at most {MOST_LINKS} at a time")
        read = [_read(row) for row in rows]
        made = iter(await self._service.create_many([row for row in read if isinstance(row, LinkInput)]))
        results: list[dict[str, Any]] = []
        for number, row in enumerate(read, 1):
            results.append(self._result(row if isinstance(row, Problem) else next(made)))
            if number % TURN == 0:
                await asyncio.sleep(0)
        created = sum(result["status"] == 201 for result in results)
        return json_answer({"results": results, "created": created, "refused": len(results) - created})

    async def page(self, request: Request) -> Response:
        """GET /api/v1/links: links, newest first, and the cursor of the next page."""
        query = read_query(request, "limit", "cursor", "search", "user_id")
        limit = read_number(query, "limit", 1, MOST_LINKS) or DEFAULT_PAGE
        search = query.get("search") or None
        if search is not None and len(search) > LONGEST_SEARCH:
            raise invalid("search", f"this search has {len(search)} characters; {LONGEST_SEARCH} are the most")
        before = read_number(query, "cursor", 0, _LAST_ID)
        page = await self._service.page(LinkQuery(limit, before, search, query.get("user_id")))
        cursor = None if page.next_before is None else str(page.next_before)
        return json_answer({"links": await self._counted(page.links), "next_cursor": cursor})

    async def show(self, request: Request) -> Response:
        """GET /api/v1/links/{code}: the link."""
        read_query(request)
        (document,) = await self._counted([await self._link(request)])
        return json_answer(document)

    async def change(self, request: Request) -> Response:
        """PATCH /api/v1/links/{code}: the link as it is now."""
        changes = read_body(request, ChangeBody).given()
        link = await self._service.update(request.params["code"], **changes)
        if link is None:
            raise no_link(request.params["code"])
        return json_answer(self._shown(link))

    async def delete(self, request: Request) -> Response:
        """DELETE /api/v1/links/{code}: 204."""
        if not await self._service.delete(request.params["code"]):
            raise no_link(request.params["code"])
        return Response(status=204)

    async def stats(self, request: Request) -> Response:
        """GET /api/v1/links/{code}/stats: its clicks, by day and by where they came from."""
        query = read_query(request, "from", "to")
        link = await self._link(request)
        stats = await self._service.stats(link, query.get("from"), query.get("to"))
        return json_answer(stats_document(link, stats))

    async def _made(self, wanted: LinkInput) -> Link:
        return await self._service.create(
            wanted.url,
            custom_code=wanted.custom_code,
            user_id=wanted.user_id,
            expires_at=wanted.expires_at,
            redirect_status=wanted.redirect_status,
        )

    async def _link(self, request: Request) -> Link:
        link = await self._service.get(request.params["code"])
        if link is None:
            raise no_link(request.params["code"])
        return link

    def _shown(self, link: Link) -> LinkDocument:
        return link_document(link, self._service.short_url(link))

    async def _counted(self, links: Sequence[Link]) -> list[LinkDocument]:
        """`links` with their clicks; without them while those can't be read, which is no reason to hide a link."""
        try:
            totals = await self._service.totals(links)
        except StoreUnavailable:
            return [link_document(link, self._service.short_url(link), None) for link in links]
        documents = []
        for number, link in enumerate(links, 1):
            clicks = totals[link.id].clicks if link.id in totals else 0
            documents.append(link_document(link, self._service.short_url(link), clicks))
            if number % TURN == 0:
                await asyncio.sleep(0)
        return documents

    def _result(self, answer: Link | InvalidLink | CodeConflict | Problem) -> dict[str, Any]:
        if isinstance(answer, Link):
            return {"status": 201, "link": self._shown(answer)}
        problem = answer if isinstance(answer, Problem) else problem_of(answer)
        return {"status": problem.status, "error": problem_body(problem)}


def _read(row: Raw) -> LinkInput | Problem:
    try:
        return read_row(row).wanted()
    except Problem as problem:
        return problem
