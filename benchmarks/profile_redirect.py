"""What each part of a redirect costs: the way from a read to a write, step by step, on one browser's head.

Each part is timed alone (the best of several repeats, on core 1), with the objects that the server uses. The sum of
parts is less than the whole, which also steps through lines and calls; what is left of a request's CPU time is the
event loop's and the kernel's: reading and writing the socket.
"""

import argparse
import json
import shutil
import tempfile
import time
import timeit
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from zlib import crc32

import httptools

from benchmarks.machine import ROOT, about, about_now_ended
from benchmarks.pinned import pin_this_process
from benchmarks.tables import profile_table
from hopline.cache import Cache
from hopline.http import ConnectionInfo, Limits
from hopline.http.connection import Connection
from hopline.shortener.clicks.event import pack
from hopline.shortener.clicks.journal import Journal
from hopline.shortener.links.link import Link
from hopline.shortener.links.versions import VersionTable
from hopline.shortener.redirect import Redirects, Target

if TYPE_CHECKING:
    from hopline.shortener.links.protocol import LinkStore

__all__ = ["add_arguments", "run"]

HEAD = (
    b"GET /aB3dE9 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9,fr;q=0.8\r\n"
    b"Referer: https://forum.example.net/topic/4711?page=2\r\n"
    b'Sec-CH-UA: "Chromium";v="131", "Not_A Brand";v="24"\r\nSec-CH-UA-Platform: "Linux"\r\n'
    b"Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: cross-site\r\n"
    b"Upgrade-Insecure-Requests: 1\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 "
    b"(KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36\r\n\r\n"
)
PATH = b"/aB3dE9"
NUMBER = 20_000  # calls a repeat
REPEATS = 7
PIPELINED = 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m benchmarks profile`."""
    output = ROOT / "benchmarks" / "results" / "profile_redirect.json"
    parser.add_argument("--output", type=Path, default=output, help="where results are kept")


def run(options: argparse.Namespace) -> int:
    """Time all parts, print the table and keep the results."""
    pin_this_process()
    begun = about()
    folder = Path(tempfile.mkdtemp(prefix="hopline-bench-", dir="/var/tmp"))
    try:
        with ExitStack() as stack:
            parts = _parts(folder, stack)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    results = {"about": about_now_ended(begun), "head_bytes": len(HEAD), "parts": parts}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(results, indent=1) + "\n")
    print(profile_table(results))
    return 0


class _Completion:
    """What the connection has llhttp call."""

    def on_message_complete(self) -> None:
        """The end of a request."""


class _Everybody:
    """Stands for the visitors' table: it is asked once a connection, not once a click."""

    def identify(self, address: str) -> tuple[int, bytes]:
        """The same visitor for all."""
        return 0x0123456789ABCDEF, b"\0\0"


def _parts(folder: Path, stack: ExitStack) -> list[dict[str, object]]:
    versions = stack.enter_context(VersionTable(folder / "versions.map"))
    journal = Journal(folder / "journal")
    journal.open()
    stack.callback(journal.close)
    cache: Cache[bytes, Target] = Cache(100_000, 60.0 * 60)
    redirects = Redirects(cache, cast("LinkStore", None), versions, journal, _Everybody())
    redirects.open()
    stack.callback(redirects.close)  # before the table, whose memory it looks at
    slot = versions.slot(PATH[1:].decode())
    cache.set(PATH, Target(_link(), slot, versions.slots[slot]))
    return [*_parsing(), *_answering(redirects, cache, versions, journal)]


def _parsing() -> list[dict[str, object]]:
    parser = httptools.HttpRequestParser(_Completion())
    connection = Connection(Limits(), ConnectionInfo(("127.0.0.1", 50_000)))
    head = connection.head
    connection.receive(HEAD)
    connection.next()

    def parse() -> None:
        connection.receive(HEAD)
        connection.next()

    def fields() -> None:
        head.get(b"\r\nuser-agent:")
        head.get(b"\r\nreferer:")
        head.get(b"\r\naccept-language:")

    return [
        _time("find the end of the head", lambda: HEAD.find(b"\r\n\r\n", 0)),
        _time("llhttp", lambda: parser.feed_data(HEAD)),
        _time("lower the head", HEAD.lower),
        _time("split the request line", lambda: HEAD[: HEAD.find(b"\r\n")].split(b" ")),
        _time("read Host", lambda: head.get(b"\r\nhost:")),
        _time("receive and next", parse, "all of the above and the rules between: a request is parsed"),
        _time("three fields", fields, "User-Agent, Referer, Accept-Language"),
    ]


def _answering(
    redirects: Redirects, cache: Cache[bytes, Target], versions: VersionTable, journal: Journal
) -> list[dict[str, object]]:
    connection = Connection(Limits(), ConnectionInfo(("127.0.0.1", 50_000)))
    connection.receive(HEAD)
    connection.next()
    head = connection.head
    agent, referrer = head.get(b"\r\nuser-agent:"), head.get(b"\r\nreferer:")
    language = head.get(b"\r\naccept-language:")
    target = cache[PATH]
    slots = versions.slots
    record = pack(1_700_000_000_000, 1, 2, b"\0\0", 0, agent, referrer, language, b"")
    end = b"date: Tue, 24 Nov 2026 12:00:00 GMT\r\n\r\n"
    answers = [target.answer, end] * PIPELINED

    def whole() -> None:
        connection.receive(HEAD)
        connection.next()
        redirects.raw(head)

    return [
        _time("split the target", lambda: head.target.partition(b"?")),
        _time("cache look-up", lambda: cache.get(PATH)),
        _time("version of the slot", lambda: slots[target.slot] != target.version),
        _time("the time", lambda: time.time_ns() // 1_000_000),
        _time("pack the click", lambda: pack(1_700_000_000_000, 1, 2, b"\0\0", 0, agent, referrer, language, b"")),
        _time("checksum of the record", lambda: crc32(record, 1), f"{len(record)} bytes"),
        _time("journal append", lambda: journal.append(record), "checksum and first touch of pages included"),
        _time("raw route", lambda: redirects.raw(head), "all from the target on, fields included: a click is recorded"),
        _time("parse and answer", whole, "receive, next, raw route: a request without its socket"),
        _time("join 16 answers", lambda: b"".join(answers), "for one write", share=PIPELINED),
    ]


def _time(what: str, call: Callable[[], Any], note: str = "", share: int = 1) -> dict[str, object]:
    """ns a call, less what an empty call costs; divided among `share` requests."""
    best = min(timeit.repeat(call, number=NUMBER, repeat=REPEATS))
    empty = min(timeit.repeat(_nothing, number=NUMBER, repeat=REPEATS))
    return {"what": what, "ns": round(max(0.0, best - empty) / NUMBER * 1e9 / share, 1), "note": note}


def _nothing() -> None:
    """What a timed call costs by itself."""


def _link() -> Link:
    url = "https://www.example.com/articles/2026/a-title-of-usual-length?utm_source=newsletter"
    return Link(1, PATH[1:].decode(), url, 0, 0, None, None, 302, custom=False)
