"""What the pages show on the first day, and while a store is down: in one process, with stores that fail on demand."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlencode

import pytest

from hopline.clock import ManualClock
from hopline.http import App, ConnectionInfo, Head, Request, Response
from hopline.shortener.access import Access, ApiKeys, SessionSigner
from hopline.shortener.clicks.protocol import LinkStats, LinkTotals
from hopline.shortener.dashboard import register_dashboard
from hopline.shortener.links.link import CodeTaken, Link, LinkChanges, LinkPage, LinkQuery, NewLink, StoreUnavailable
from hopline.shortener.links.protocol import LinkStoreStats
from hopline.shortener.links.service import LinkService
from hopline.shortener.settings import Settings

EXPIRED = Link(7, "old", "https://example.com/", 1_000, 1_000, 1_600_000_000_000, None, 302, custom=True)


class FaultyLinks:
    """A store of given links, until it is down."""

    def __init__(self, *links: Link) -> None:
        self.links = {link.code: link for link in links}
        self.down = False
        self.changes: list[LinkChanges] = []

    def _answer(self) -> None:
        if self.down:
            raise StoreUnavailable("the disk is gone", retry_after=7)

    async def create(self, new: Sequence[NewLink]) -> list[Link | CodeTaken]:
        self._answer()
        return [CodeTaken(link.custom_code or "") for link in new]

    async def get(self, code: str) -> Link | None:
        self._answer()
        return self.links.get(code)

    async def update(self, code: str, changes: LinkChanges) -> Link | None:
        self._answer()
        self.changes.append(changes)
        return self.links.get(code)

    async def delete(self, code: str) -> bool:
        self._answer()
        return self.links.pop(code, None) is not None

    async def page(self, query: LinkQuery) -> LinkPage:
        self._answer()
        return LinkPage(list(self.links.values()), None)

    def stats(self) -> LinkStoreStats:
        return LinkStoreStats(0, 0, 0, 0, 0, 0, 0)

    async def close(self) -> None:
        """Nothing is open."""


class FaultyClicks:
    """No clicks, until it is down."""

    def __init__(self) -> None:
        self.down = False

    async def stats(self, link_id: int, first_day: str, last_day: str) -> LinkStats:
        if self.down:
            raise StoreUnavailable("clicks.db is gone")
        return LinkStats(LinkTotals(), 0, [], {})

    async def totals(self, link_ids: Sequence[int]) -> dict[int, LinkTotals]:
        if self.down:
            raise StoreUnavailable("clicks.db is gone")
        return {}

    async def close(self) -> None:
        """Nothing is open."""


class Desk:
    """The dashboard over stores that can fail, and someone who has signed in."""

    def __init__(self, folder: Path, *links: Link) -> None:
        self.clock = ManualClock()
        self.links, self.clicks = FaultyLinks(*links), FaultyClicks()
        self.keys = ApiKeys(folder / "links.db", self.clock)
        _, self.secret = self.keys.create("tester", "admin")
        access = Access(self.keys, SessionSigner(b"s" * 32, self.clock), self.clock)
        session = access.sign_in(self.secret, "127.0.0.1")
        assert session is not None
        self.session = session
        settings = Settings(data_dir=folder)
        app = App()
        service = LinkService(self.links, self.clicks, settings, self.clock)
        register_dashboard(app, service, access, settings, self.clock)
        self._dispatcher = app.dispatcher()

    def ask(
        self, method: str, target: str, fields: dict[str, str] | None = None, cookie: str | None = None
    ) -> Response:
        head = Head(ConnectionInfo(("192.0.2.1", 40_000)))
        head.method, head.target = method.encode(), target.encode()
        cookie = f"hopline_session={self.session.token}" if cookie is None else cookie
        kind = "application/x-www-form-urlencoded"
        head.raw = f"{method} {target} HTTP/1.1\r\ncookie: {cookie}\r\ncontent-type: {kind}\r\n\r\n".encode()
        answer = self._dispatcher.call(Request(head, urlencode(fields or {}).encode()))
        return answer if isinstance(answer, Response) else asyncio.run(answer)

    def send(self, target: str, **fields: str) -> Response:
        """The answer to a form of ours with `fields`."""
        return self.ask("POST", target, {"csrf": self.session.form_token, "redirect_status": "302", **fields})


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path, EXPIRED)
    yield desk
    desk.keys.close()


def text_of(response: Response) -> str:
    return response.body.decode()


def test_the_first_page_ever_says_what_to_do(tmp_path: Path) -> None:
    desk = Desk(tmp_path)

    page = text_of(desk.ask("GET", "/dashboard"))

    assert "No links yet" in page
    assert "press Shorten" in page
    desk.keys.close()


def test_the_list_says_that_it_cannot_be_read(desk: Desk) -> None:
    desk.links.down = True

    answer = desk.ask("GET", "/dashboard")

    assert answer.status == 503
    assert "Short links go on working" in text_of(answer)
    assert "Shorten a link" in text_of(answer)


def test_a_link_that_could_not_be_stored_comes_back_as_typed(desk: Desk) -> None:
    desk.links.down = True

    answer = desk.send("/dashboard", url="https://example.com/kept", custom_code="kept")

    assert answer.status == 503
    assert 'role="alert"' in text_of(answer)
    assert 'value="https://example.com/kept"' in text_of(answer)
    assert 'value="kept"' in text_of(answer)


@pytest.mark.parametrize("target", ["/dashboard/links/old", "/dashboard/delete/old", "/dashboard/qr/svg/old"])
def test_a_page_whose_link_cannot_be_read_says_when_to_come_back(desk: Desk, target: str) -> None:
    desk.links.down = True

    answer = desk.ask("GET", target)

    assert answer.status == 503
    assert ("retry-after", "7") in answer.headers


def test_links_are_shown_without_figures_while_clicks_cannot_be_read(desk: Desk) -> None:
    desk.clicks.down = True

    listed, one = desk.ask("GET", "/dashboard"), desk.ask("GET", "/dashboard/links/old")

    assert (listed.status, one.status) == (200, 200)
    assert "no figures" in text_of(listed)
    assert "The clicks can't be read right now." in text_of(one)
    assert "Save changes" in text_of(one)


def test_an_end_that_has_passed_may_stand_when_something_else_is_edited(desk: Desk) -> None:
    page = text_of(desk.ask("GET", "/dashboard/links/old"))
    assert '<span class="tag tag-off">expired</span>' in page
    assert 'value="2020-09-13T12:26"' in page.replace(":40", "")  # 12:26:40 UTC

    answer = desk.send("/dashboard/links/old", url="https://example.com/new", expires_at="2020-09-13T12:26:40")

    assert answer.status == 303
    (changes,) = desk.links.changes
    assert (changes.url, repr(changes.expires_at)) == ("https://example.com/new", "KEEP")


def test_an_end_in_the_past_is_refused_when_it_is_new(desk: Desk) -> None:
    answer = desk.send("/dashboard/links/old", url=EXPIRED.url, expires_at="2021-01-01T00:00")

    assert answer.status == 422
    assert 'id="expires_at-error"' in text_of(answer)
    assert desk.links.changes == []


def test_deleting_what_is_gone_already_is_no_error(desk: Desk) -> None:
    assert desk.send("/dashboard/delete/old").status == 303
    assert desk.send("/dashboard/delete/old").status == 303


def test_after_many_wrong_keys_the_form_asks_for_patience(desk: Desk) -> None:
    binding = "b" * 22
    token = SessionSigner(b"s" * 32, desk.clock).form_token(binding)

    def attempt(key: str) -> Response:
        return desk.ask("POST", "/dashboard/sign-in", {"csrf": token, "key": key}, f"hopline_form={binding}")

    answers = [attempt("hop_wrong") for _ in range(11)]
    assert [answer.status for answer in answers] == [401] * 10 + [429]
    assert "Too many wrong keys; wait a minute." in text_of(answers[-1])
    assert dict(answers[-1].headers)["retry-after"] == "60"

    desk.clock.advance(61)
    assert attempt(desk.secret).status == 303


def test_an_unexpected_failure_is_a_page_without_its_inside(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(query: LinkQuery) -> LinkPage:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(desk.links, "page", broken)

    answer = desk.ask("GET", "/dashboard")

    assert answer.status == 500
    assert "Something went wrong" in text_of(answer)
    assert "a secret of the inside" not in text_of(answer)
    assert "a secret of the inside" in caplog.text


def test_cookies_are_kept_from_plain_http_where_the_public_address_is_https(tmp_path: Path) -> None:
    app, clock = App(), ManualClock()
    settings = Settings(data_dir=tmp_path, base_url="https://sho.rt")
    with ApiKeys(tmp_path / "links.db", clock) as keys:
        access = Access(keys, SessionSigner(b"s" * 32, clock), clock)
        register_dashboard(app, LinkService(FaultyLinks(), FaultyClicks(), settings, clock), access, settings, clock)
        head = Head(ConnectionInfo())
        head.method, head.target, head.raw = b"GET", b"/dashboard/sign-in", b"GET /dashboard/sign-in HTTP/1.1\r\n\r\n"
        pending = app.dispatcher().call(Request(head))
        answer = pending if isinstance(pending, Response) else asyncio.run(pending)

    assert "; Secure" in dict(answer.headers)["set-cookie"]
