"""Start and stop of hosted applications: state, refusal, and those that know nothing of it."""

import asyncio
from typing import Any

import pytest

from hopline.http import LifespanFailed, TestClient, asgi_lifespan
from hopline.http.asgi_host import Receive, Scope, Send


class Application:
    """Answers lifespan by the names of the messages it was given."""

    def __init__(self, *messages: str) -> None:
        self.messages = messages
        self.seen: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            scope["state"]["seen"] = self.seen
            for kind in self.messages:
                self.seen.append((await receive())["type"])
                await send({"type": kind, "message": "no database\n"})
        else:
            scope["state"]["mine"] = True
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": ",".join(sorted(scope["state"])).encode()})


async def test_state_is_copied_to_each_scope() -> None:
    application = Application("lifespan.startup.complete", "lifespan.shutdown.complete")
    async with TestClient(application) as client:
        assert application.seen == ["lifespan.startup"]
        for _ in range(2):
            assert (await client.get("/")).text == "mine,seen"
    assert application.seen == ["lifespan.startup", "lifespan.shutdown"]


async def test_a_failed_startup_stops_the_worker_with_its_message() -> None:
    with pytest.raises(LifespanFailed, match=r"could not start: no database$"):
        await TestClient(Application("lifespan.startup.failed")).__aenter__()


async def test_a_failed_shutdown_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with TestClient(Application("lifespan.startup.complete", "lifespan.shutdown.failed")):
        pass
    assert "no database" in caplog.text


@pytest.mark.parametrize("raises", [False, True])
async def test_one_that_knows_no_lifespan_is_served(raises: bool) -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            if raises:
                raise NotImplementedError
            return
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    async with TestClient(application) as client:
        assert (await client.get("/")).status == 204


@pytest.mark.parametrize("when", ["lifespan.startup", "lifespan.shutdown"])
async def test_one_that_never_answers_is_given_up(
    when: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(asgi_lifespan, "STARTUP_TIMEOUT", 0.01)
    monkeypatch.setattr(asgi_lifespan, "SHUTDOWN_TIMEOUT", 0.01)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        while True:
            message: Any = await receive()
            if message["type"] == when:
                await asyncio.Event().wait()
            await send({"type": message["type"] + ".complete"})

    if when == "lifespan.startup":
        with pytest.raises(LifespanFailed, match="not completed in"):
            await TestClient(application).__aenter__()
        return
    async with TestClient(application):
        pass
    assert "lifespan.shutdown was not completed" in caplog.text
