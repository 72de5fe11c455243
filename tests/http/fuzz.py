"""Streams of requests, right and nearly right, read by ours and by h11: who sees which requests?

`python -m tests.http.fuzz --minutes 30`. Each stream is also split at every offset, which must change nothing. A
difference is a stream on which ours accepts a request that h11 doesn't see there, or misses one without refusing;
excused are those where the RFC sides with ours.
"""

import argparse
import random
import re
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import starmap

import h11

from hopline.http import ConnectionInfo, Limits, ProtocolError
from hopline.http.connection import HEAD, Connection

__all__ = ["Tally", "fuzz"]

Seen = tuple[list[tuple[bytes, bytes, bytes]], str]
"""(method, target, body) of every request; then "idle", "waiting", "refused" or "closed"."""

_METHODS = (b"GET", b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"OPTIONS", b"PATCH")
_TARGETS = (b"/", b"/a?b=c", b"/%20", b"http://h/x", b"http://h:80?y", b"*", b"/a//b;c", b"h:1", b"//h/a")
_VERSIONS = (b"HTTP/1.1",) * 12 + (b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0")
_FIELDS = (
    b"X: y",
    b"X:y",
    b"x-empty:",
    b"X: \t spaced \t ",
    b"Cookie: a=b; c=d",
    b"Connection: close",
    b"Connection: keep-alive",
    b"Connection: x, Close",
    b"Connection: upgrade\r\nUpgrade: websocket",
    b"Upgrade: h2c",
    b"Expect: 100-continue",
    b"X-Obs: \xe9\xff",
    b"Transfer-Encoding: identity",
    b"Content-Length: 0",
    b"Host: i",
    b"TE: trailers",
    b"Trailer: X",
)
_SIZES = (b"%x", b"%X", b"0%x", b"%x;a", b'%x;a="b"', b"%x ;a=b", b"00000%x")
_TOKENS = (
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b",", b";", b"0", b"\x0b", b"\x0c", b"\x7f", b"\x80", b"\r\n\r\n",
    b"chunked", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"+", b"-", b"_", b"0x", b"\r\n ", b"#", b"@", b"HTTP/1.1", b"\xff", b", 5",
)  # fmt: skip
_EMPTY_LINES = "empty lines before a request are skipped (RFC 9112 section 2.2)"
_KEEP_ALIVE = "HTTP/1.0 with keep-alive stays open (RFC 9112 section 9.3)"
_SPACE = "white space before a chunk extension is read over (RFC 9112 section 7.1.1)"
_SPACED_EXTENSION = re.compile(rb"(\r\n[0-9A-Fa-f]{1,8})[ \t]+;")
_EMPTY = re.compile(rb"(?:\r\n){1,4}")


@dataclass
class Tally:
    """What a run came to."""

    cases: int = 0
    splits: int = 0
    both: int = 0
    ours_only: int = 0
    theirs_only: int = 0
    none: int = 0
    excused: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        share = 100 * self.both / max(1, self.cases)
        accepted = f"accepted by both {self.both} ({share:.0f} %), ours only {self.ours_only}, h11 only"
        counts = f"{self.cases} streams, {self.splits} splits; {accepted} {self.theirs_only}, none {self.none}"
        return "\n".join([counts, *starmap("excused {}: {}".format, self.excused.items()), *self.differences])


def _body(pick: random.Random) -> tuple[bytes, bytes]:
    """A framing field, and the body."""
    text = pick.randbytes(pick.randrange(1, 12)) if pick.random() < 0.5 else b"hello"
    kind = pick.random()
    if kind < 0.45:
        return b"", b""
    if kind < 0.7:
        return b"Content-Length: %d\r\n" % len(text), text
    chunks = [pick.choice(_SIZES) % len(text) + b"\r\n" + text + b"\r\n" for _ in range(pick.randrange(3))]
    trailers = pick.choice((b"", b"", b"X: y\r\n", b"Content-Length: 3\r\n"))
    return b"Transfer-Encoding: chunked\r\n", b"".join(chunks) + b"0\r\n" + trailers + b"\r\n"


def generate(pick: random.Random) -> bytes:
    """A stream of one to three requests, every second one with mutations."""
    stream = b""
    for _ in range(pick.randrange(1, 4)):
        framing, body = _body(pick)
        method = b"POST" if framing and pick.random() < 0.8 else pick.choice(_METHODS)
        target = pick.choice(_TARGETS) if pick.random() < 0.4 else b"/"
        lines = [b"%b %b %b" % (method, target, pick.choice(_VERSIONS))]
        lines += [b"Host: h", *(pick.choice(_FIELDS) for _ in range(pick.choice((0, 0, 1, 2))))]
        stream += b"\r\n".join(lines) + b"\r\n" + framing + b"\r\n" + body
    if pick.random() < 0.55:
        for _ in range(pick.randrange(1, 4)):
            stream = _mutate(pick, stream)
    return stream


def _mutate(pick: random.Random, stream: bytes) -> bytes:
    at = pick.randrange(len(stream) + 1)
    kind = pick.randrange(5)
    if kind == 0:
        return stream[:at] + pick.choice(_TOKENS) + stream[at:]
    if kind == 1:
        return stream[:at] + stream[at + pick.randrange(1, 4) :]
    if kind == 2:
        return stream[:at] + bytes([pick.randrange(256)]) + stream[at + 1 :]
    end = min(len(stream), at + pick.randrange(1, 30))
    if kind == 3:
        return stream[:end] + stream[at:end] + stream[end:]
    return stream[:at] + pick.choice(_TOKENS) + stream[end:]


def ours(parts: Iterable[bytes]) -> Seen:
    """What Hopline's connection sees."""
    connection = Connection(Limits(), ConnectionInfo())
    found: list[tuple[bytes, bytes, bytes]] = []
    try:
        for part in parts:
            if not part:
                continue
            connection.receive(part)
            while step := connection.next():
                if step == HEAD:
                    connection.limit_body(Limits().body_size)
                    continue
                found.append((connection.head.method, connection.head.target, connection.body))
                if not connection.head.keep_alive:
                    return found, "closed"
    except ProtocolError:
        return found, "refused"
    return found, "waiting" if connection.in_body or connection.buffered else "idle"


def theirs(data: bytes, leniency: set[str] | None = None) -> Seen:
    """What h11 sees; with `leniency`, what it would see if it read as the RFC does: why goes in there."""
    if leniency is not None and _SPACED_EXTENSION.search(data):
        leniency.add(_SPACE)
        data = _SPACED_EXTENSION.sub(rb"\1;", data)
    found: list[tuple[bytes, bytes, bytes]] = []
    end: str | None = None
    while end is None:
        end, data = _one(data, found, leniency)
    return found, end


def _one(data: bytes, found: list[tuple[bytes, bytes, bytes]], leniency: set[str] | None) -> tuple[str | None, bytes]:
    """Read one request; how the stream ends, None where another request may come, and what is left for it."""
    if leniency is not None and (empty := _EMPTY.match(data)):
        leniency.add(_EMPTY_LINES)
        data = data[empty.end() :]
    if not data:
        return "idle", b""  # h11 takes b"" for the end of the connection
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    head, body = h11.Request(method="GET", target="/", headers=[("host", "h")]), b""
    try:
        connection.receive_data(data)
        while (event := connection.next_event()) is not h11.NEED_DATA:
            if isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                found.append((head.method, _origin_form(head.target), body))
                return _end(connection, head, leniency), connection.trailing_data[0]
    except h11.RemoteProtocolError:
        return "refused", b""
    return "waiting", b""


def _end(connection: h11.Connection, head: h11.Request, leniency: set[str] | None) -> str | None:
    """Whether h11 would go on after an answer."""
    connection.send(h11.Response(status_code=404, headers=[("content-length", "0")]))
    connection.send(h11.EndOfMessage())
    if connection.our_state is h11.DONE:
        return None
    options = b",".join(value for name, value in head.headers if name == b"connection").lower().replace(b" ", b"")
    wanted = b"keep-alive" in options.split(b",") and b"close" not in options.split(b",")
    if leniency is None or head.http_version != b"1.0" or not wanted:
        return "closed"
    leniency.add(_KEEP_ALIVE)
    return None


def _origin_form(target: bytes) -> bytes:
    """An absolute target as ours hands it on."""
    match = re.fullmatch(rb"https?://[^/?#]+(.*)", target, re.IGNORECASE | re.DOTALL)
    if match is None:
        return target
    return match[1] if match[1].startswith(b"/") else b"/" + match[1]


def _difference(mine: Seen, other: Seen) -> bool:
    """Whether the two see other requests, ours being stricter aside."""
    common = min(len(mine[0]), len(other[0]))
    if mine[0][:common] != other[0][:common]:
        return True
    if len(mine[0]) > common:
        return True
    if len(other[0]) > common:
        return mine[1] != "refused"
    return mine[1] == "idle" and other[1] != "idle"


def check(data: bytes, tally: Tally) -> None:
    """One stream, whole and split at every offset, into the tally."""
    mine, other = ours([data]), theirs(data)
    accepted = [bool(seen[0]) and seen[1] in ("idle", "closed") for seen in (mine, other)]
    tally.cases += 1
    tally.both += accepted == [True, True]
    tally.ours_only += accepted == [True, False]
    tally.theirs_only += accepted == [False, True]
    tally.none += accepted == [False, False]
    if _difference(mine, other):
        excuses: set[str] = set()
        if _difference(mine, theirs(data, excuses)):
            tally.differences.append(f"{data!r}\n  ours {mine}\n  h11  {other}")
        else:
            tally.excused.update(excuses)
    for at in range(1, len(data)):
        tally.splits += 1
        split = ours([data[:at], data[at:]])
        if split != mine:
            tally.differences.append(f"{data!r} split at {at}\n  whole {mine}\n  split {split}")
            break


def fuzz(seconds: float, seed: int, most: int = 20) -> Tally:
    """Streams from `seed` on for so long, or until `most` differences were found."""
    tally, pick = Tally(), random.Random(seed)
    end = time.monotonic() + seconds
    while time.monotonic() < end and len(tally.differences) < most:
        check(generate(pick), tally)
    return tally


def main() -> int:
    """Run for as long as was said; 1 where a difference was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.http.fuzz", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=time.time_ns())
    options = parser.parse_args()
    begun = time.process_time()
    tally = fuzz(60 * options.minutes, options.seed)
    print(f"seed {options.seed}, {(time.process_time() - begun) / 60:.1f} CPU minutes\n{tally}")
    return 1 if tally.differences else 0


if __name__ == "__main__":
    raise SystemExit(main())
