"""The API's resources as typed calls; what isn't a success becomes an ApiError of one clear line."""

from collections.abc import Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Final, Self, TypeVar

import msgspec

from hopline.cli.client import Answer, Client
from hopline.cli.errors import CliError

__all__ = [
    "Api",
    "ApiError",
    "BulkReply",
    "BulkResult",
    "DayClicks",
    "LinkInfo",
    "Page",
    "Stats",
    "ValueClicks",
]

_T = TypeVar("_T")
_LINKS: Final = "/api/v1/links"


class _Problem(msgspec.Struct):
    """RFC 9457, with `field` naming the input that is at fault."""

    title: str = ""
    detail: str = ""
    field: str | None = None


class LinkInfo(msgspec.Struct):
    """A link as the API shows it; times are ISO 8601 in UTC."""

    short_code: str
    short_url: str
    url: str
    created_at: str = ""
    updated_at: str | None = None
    expires_at: str | None = None
    user_id: str | None = None
    redirect_status: int = 302
    custom: bool = False
    clicks: int | None = None
    warnings: list[str] = []


class Page(msgspec.Struct):
    """Links, newest first, and where the next page starts."""

    links: list[LinkInfo]
    next_cursor: str | None = None


class DayClicks(msgspec.Struct):
    """One UTC day."""

    day: str
    clicks: int


class ValueClicks(msgspec.Struct):
    """Clicks with one value of a dimension."""

    value: str
    clicks: int


class BulkResult(msgspec.Struct):
    """What became of one row: a link, or the reason why not."""

    status: int
    link: LinkInfo | None = None
    error: _Problem | None = None

    @property
    def reason(self) -> str:
        """Why the row was refused, the field first."""
        return _reason(self.error or _Problem(title=f"status {self.status}"))


class BulkReply(msgspec.Struct):
    """One result for each row sent, in order."""

    results: list[BulkResult]


class Stats(msgspec.Struct):
    """A link's clicks; the `by_…` breakdowns are found by name in `breakdowns`."""

    clicks: int
    humans: int = 0
    bots: int = 0
    visitors: int = 0
    last_click: str | None = None
    by_day: list[DayClicks] = []
    breakdowns: dict[str, list[ValueClicks]] = {}


class ApiError(CliError):
    """The server's refusal; `status` as in HTTP, `retry_after` in seconds where the server named a time."""

    def __init__(self, message: str, status: int, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class Api:
    """The calls the commands make. Not thread-safe; use it in a `with`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.server = client.server

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def create(self, link: Mapping[str, object]) -> LinkInfo:
        """Make one link of the API's fields."""
        return self._decode(self._send("POST", _LINKS, body=link), LinkInfo)

    def create_many(self, links: Sequence[Mapping[str, object]]) -> BulkReply:
        """Make many links in one request; refusals are in the reply, not raised."""
        reply = self._decode(self._send("POST", f"{_LINKS}/bulk", body={"links": links}), BulkReply)
        if len(reply.results) != len(links):
            raise CliError(f"{self.server} answered {len(reply.results)} of {len(links)} rows; is it Hopline?")
        return reply

    def link(self, code: str) -> LinkInfo | None:
        """The link of `code`; None where there is none."""
        try:
            return self._decode(self._send("GET", f"{_LINKS}/{code}"), LinkInfo)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def update(self, code: str, changes: Mapping[str, object]) -> LinkInfo:
        """Change the named fields of a link."""
        return self._decode(self._send("PATCH", f"{_LINKS}/{code}", body=changes), LinkInfo)

    def delete(self, code: str) -> None:
        """Remove a link."""
        self._send("DELETE", f"{_LINKS}/{code}")

    def page(self, limit: int, cursor: str | None = None, search: str | None = None) -> Page:
        """One page of links, newest first."""
        query: dict[str, object] = {"limit": limit}
        if cursor is not None:
            query["cursor"] = cursor
        if search is not None:
            query["search"] = search
        return self._decode(self._send("GET", _LINKS, query=query), Page)

    def pages(self, limit: int, cursor: str | None = None, search: str | None = None) -> Iterator[Page]:
        """Every page from `cursor` on."""
        while True:
            page = self.page(limit, cursor, search)
            yield page
            cursor = page.next_cursor
            if cursor is None:
                return

    def stats(self, code: str, first_day: str, last_day: str) -> tuple[Stats, bytes]:
        """A link's statistics from one day to another, both included; also the JSON they came in."""
        query = {"from": first_day, "to": last_day}
        answer = self._send("GET", f"{_LINKS}/{code}/stats", query=query)
        stats = self._decode(answer, Stats)
        fields = self._decode(answer, dict[str, msgspec.Raw])
        for name, raw in fields.items():
            if name.startswith("by_") and name != "by_day":
                stats.breakdowns[name[3:]] = msgspec.json.decode(raw, type=list[ValueClicks])
        return stats, answer.body

    def clock_ms(self) -> int | None:
        """The server's time in ms since 1970, to the second; checks the address and the key on the way."""
        date = self._send("GET", _LINKS, query={"limit": 1}).headers.get("date")
        try:
            return int(parsedate_to_datetime(date or "").timestamp() * 1000)
        except ValueError:
            return None

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: object | None = None,
    ) -> Answer:
        content = None if body is None else msgspec.json.encode(body)
        answer = self._client.request(method, path, query=query, body=content)
        if 200 <= answer.status < 300:
            return answer
        raise ApiError(self._refusal(answer), answer.status, answer.retry_after)

    def _decode(self, answer: Answer, kind: type[_T]) -> _T:
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except msgspec.MsgspecError as error:
            raise CliError(f"{self.server} doesn't answer like Hopline ({error}); check --server") from error

    def _refusal(self, answer: Answer) -> str:
        """One line for an answer that isn't a success."""
        if 300 <= answer.status < 400:
            where = answer.headers.get("location", "elsewhere")
            return f"{self.server} redirects to {where!r}; name that server with --server"
        try:
            problem = msgspec.json.decode(answer.body, type=_Problem)
        except msgspec.MsgspecError:
            problem = _Problem(title=f"{self.server} answered {answer.status} without a reason")
        reason = _reason(problem)
        match answer.status:
            case 401:
                return f"the server wants an API key ({reason}); set HOPLINE_API_KEY or use --key-file"
            case 403:
                return f"this API key may not do that: {reason}"
            case 429 | 503:
                return f"the server can't take this now: {reason}; try again in {answer.retry_after or 1:g} s"
            case status if status >= 500:
                return f"the server failed ({status}): {reason}; its log says why"
        return f"refused: {reason}"


def _reason(problem: _Problem) -> str:
    text = problem.detail or problem.title or "no reason given"
    return f"{problem.field}: {text}" if problem.field else text
