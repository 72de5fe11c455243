"""Visitors of a server that is about to be killed: they create links and follow them, and note what they were told.

The ledger holds what the client knows and nothing else: which links it was promised (a 201 was read to its end),
how many redirects of each code it has read, and how many it asked for and never got. A request whose answer
never came may have been counted or not; an answer that came must have been.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Answer", "Browser", "ConnectionGone", "Ledger", "visit"]

PATIENCE = 20.0  # seconds for one answer: a killed worker is started again long before
NEW_LINKS = 0.12  # share of requests that create a link
POPULAR = 40  # codes that get half of all visits, so that most are answered from the cache
AGENTS = ("Mozilla/5.0 (X11; Linux x86_64) Chrome/130.0.0.0", "Mozilla/5.0 (iPhone) Safari/604.1", "curl/8.5.0")


class ConnectionGone(Exception):
    """The server has hung up, or nobody listens: the fate of whoever talks to a killed process."""


@dataclass(slots=True)
class Ledger:
    """What all visitors together know, over all rounds."""

    links: dict[str, str] = field(default_factory=dict)  # code → url of every 201 received
    codes: list[str] = field(default_factory=list)  # its keys, to choose from
    answered: Counter[str] = field(default_factory=Counter)  # redirects received, by code
    unanswered: Counter[str] = field(default_factory=Counter)  # visits sent whose answer never came, by code
    uncreated: int = 0  # creations sent whose answer never came
    waiting: int = 0  # requests under way at this moment
    surprises: list[str] = field(default_factory=list)  # answers that should not have been given

    @property
    def lost(self) -> int:
        """Requests of either kind that were under way when a process died."""
        return self.unanswered.total() + self.uncreated


@dataclass(frozen=True, slots=True)
class Answer:
    """One response."""

    status: int
    location: str
    body: bytes


class Browser:
    """One keep-alive connection, opened anew when it has gone. One request at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def send(self, method: str, target: str, fields: dict[str, str], body: bytes = b"") -> Answer:
        """Ask and read the whole answer. ConnectionGone where it does not come."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._send(method, target, fields, body)
        except (OSError, asyncio.IncompleteReadError) as error:  # TimeoutError is an OSError
            self.close()
            raise ConnectionGone(f"{method} {target}: {error!r}") from error

    async def _send(self, method: str, target: str, fields: dict[str, str], body: bytes) -> Answer:
        if self._writer is None or self._reader is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        lines = [f"{method} {target} HTTP/1.1", f"Host: 127.0.0.1:{self._port}"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status = int(head.split(" ", 2)[1])
        found = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])
        }
        length = 0 if method == "HEAD" else int(found.get("content-length", "0"))
        content = await self._reader.readexactly(length)
        if found.get("connection") == "close":
            self.close()
        return Answer(status, found.get("location", ""), content)

    def close(self) -> None:
        """Hang up. Idempotent."""
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None


async def visit(
    port: int, key: str, ledger: Ledger, rng: random.Random, done: Callable[[], bool], *, persistent: bool
) -> None:
    """Create and follow links until `done()`; a connection that goes ends the visit unless `persistent`."""
    browser = Browser(port)
    try:
        while not done():
            try:
                if not ledger.codes or rng.random() < NEW_LINKS:
                    await _create(browser, key, ledger, rng)
                else:
                    await _follow(browser, ledger, rng)
            except ConnectionGone:
                if not persistent:
                    return
                await asyncio.sleep(0.01)
    finally:
        browser.close()


async def _create(browser: Browser, key: str, ledger: Ledger, rng: random.Random) -> None:
    url = f"https://example.org/page/{rng.getrandbits(64):016x}?from=drill&n={len(ledger.codes)}#part"
    fields = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    ledger.waiting += 1
    ledger.uncreated += 1  # until the answer says otherwise
    try:
        answer = await browser.send("POST", "/api/v1/links", fields, json.dumps({"url": url}).encode())
    finally:
        ledger.waiting -= 1
    ledger.uncreated -= 1
    if answer.status != 201:
        ledger.surprises.append(f"POST was answered {answer.status}: {answer.body[:200]!r}")
        return
    code = str(json.loads(answer.body)["short_code"])
    if code in ledger.links:
        ledger.surprises.append(f"code {code!r} was given out twice")
    ledger.links[code] = url
    ledger.codes.append(code)


async def _follow(browser: Browser, ledger: Ledger, rng: random.Random) -> None:
    code = rng.choice(ledger.codes[:POPULAR] if rng.random() < 0.5 else ledger.codes)
    fields = {"User-Agent": rng.choice(AGENTS), "Referer": "https://news.example.org/", "Accept-Language": "en"}
    ledger.waiting += 1
    ledger.unanswered[code] += 1  # until the answer says otherwise
    try:
        answer = await browser.send("GET", f"/{code}", fields)
    finally:
        ledger.waiting -= 1
    ledger.unanswered[code] -= 1
    if answer.status != 302 or answer.location != ledger.links[code]:
        ledger.surprises.append(f"GET /{code} was answered {answer.status} {answer.location!r}")
        return
    ledger.answered[code] += 1
