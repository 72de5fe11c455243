"""An API over stores in memory and real keys, asked without a socket."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hopline.clock import ManualClock
from hopline.http import App
from hopline.shortener.access import Access, ApiKeys, SessionSigner
from hopline.shortener.api import register_api
from hopline.shortener.links.service import LinkService
from hopline.shortener.settings import Settings
from tests.shortener.asking import Answered, Caller
from tests.shortener.memory_stores import MemoryClickStore, MemoryLinkStore

START = 1_900_000_000.0  # 2030-03-17T17:46:40Z


class Api:
    """The API, and clients of it, one for each role."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(START)
        self.store = MemoryLinkStore(self.clock)
        self.clicks = MemoryClickStore()
        self.keys = ApiKeys(folder / "links.db", self.clock)
        self.app = App()
        settings = Settings(data_dir=folder, base_url="https://sho.rt")
        service = LinkService(self.store, self.clicks, settings, self.clock)
        register_api(self.app, service, Access(self.keys, SessionSigner(b"s" * 32, self.clock), self.clock))
        self.editor, self.viewer = self._client("editor"), self._client("viewer")
        self.stranger = Caller(self.app)

    def _client(self, role: str) -> Caller:
        _, secret = self.keys.create(f"the {role}", role)
        return Caller(self.app, secret)

    async def made(self, **fields: object) -> dict[str, object]:
        """A link made through the API."""
        answer = await self.editor.ask("POST", "/api/v1/links", {"url": "https://example.com/", **fields})
        assert answer.status == 201, answer.body
        link: dict[str, object] = answer.json
        return link


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    api = Api(tmp_path)
    yield api
    api.keys.close()


def check_problem(answer: Answered, status: int, kind: str, field: str | None = None) -> str:
    """That `answer` is a whole problem document; its detail."""
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    problem = answer.json
    assert problem["type"] == f"urn:hopline:problem:{kind}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem.get("field") == field
    detail: str = problem["detail"]
    assert detail
    return detail
