"""One HTTP/1.1 connection as a state machine without I/O: bytes in, requests out.

A head ends at the first empty line, is fed whole to llhttp for its grammar, and is then held to what
RFC 9110 and 9112 call a MUST and llhttp lets pass. Each refusal names its rule. What of a head nobody
asks for is never split, decoded or copied (see head.py).

What the parts of `next` cost on a browser's head of 600 bytes, interpreted: finding its end 370 ns, llhttp
560, lowering 210, Host 350, Connection 230, the request line 300.
"""

import re
from typing import Final

import httptools

from hopline.http.bodies import BodyReader, ChunkedReader, FixedReader
from hopline.http.errors import ProtocolError
from hopline.http.head import ConnectionInfo, Head
from hopline.http.limits import Limits

__all__ = ["HEAD", "NEED_DATA", "REQUEST", "Connection"]

# What `next` found.
NEED_DATA: Final = 0
REQUEST: Final = 1  # a whole request, its body included
HEAD: Final = 2  # a head whose body is still to come

_VERSIONS: Final = (b"HTTP/1.1", b"HTTP/1.0")
# uri-host [":" port] of RFC 9110 section 7.2: no userinfo, no path, no spaces. May be empty.
_HOST: Final = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~!$&'()*+,;=%]*)(?::[0-9]{0,5})?")
_BARE_LF: Final = re.compile(rb"(?:^|[^\r])\n")
_METHOD: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}")
_ABSOLUTE: Final = re.compile(rb"https?://([^/?#]*)([^#]*)", re.IGNORECASE)
MAX_EMPTY_LINES = 4  # before a request line; RFC 9112 section 2.2 asks to ignore at least one


class _Completion:
    """Told by llhttp when a message ends with its head. An object of its own, so that nothing points in a circle."""

    __slots__ = ("complete",)

    def __init__(self) -> None:
        self.complete = False

    def on_message_complete(self) -> None:
        self.complete = True


class Connection:
    """The state of one connection. Not thread-safe: it belongs to its transport.

    Call `receive` with what arrived, then `next` until it answers NEED_DATA. After REQUEST, `head` and `body` hold a
    whole request until the next call. After HEAD a body follows: give it a limit by `limit_body`, then go on with
    `next` to have it whole, or with `next_part` to have it as it comes. A ProtocolError is final: answer it and close.
    """

    __slots__ = (
        "_at",
        "_completion",
        "_data",
        "_empty_lines",
        "_known_host",
        "_limits",
        "_parser",
        "_reader",
        "body",
        "continue_expected",
        "head",
    )

    def __init__(self, limits: Limits, info: ConnectionInfo) -> None:
        self._limits = limits
        self.head = Head(info)
        self.body = b""
        self.continue_expected = False  # the client waits for "100 Continue" before it sends the body
        self._data = b""
        self._at = 0
        self._empty_lines = 0  # skipped before the request that comes
        self._known_host = b"\n"  # the last Host that was found valid; this one no head can have
        self._reader: BodyReader | None = None
        self._new_parser()

    def _new_parser(self) -> None:
        self._completion = _Completion()
        self._parser = httptools.HttpRequestParser(self._completion)

    @property
    def buffered(self) -> int:
        """Bytes received and not yet consumed."""
        return len(self._data) - self._at

    @property
    def in_body(self) -> bool:
        """Whether a body is being read."""
        return self._reader is not None

    @property
    def body_size(self) -> int:
        """Bytes of the body under way that have arrived."""
        return 0 if self._reader is None else self._reader.size

    def receive(self, data: bytes) -> None:
        """Take in what arrived; consumed by `next`."""
        if self._at < len(self._data):
            self._data = self._data[self._at :] + data
        else:
            self._data = data
        self._at = 0

    def next(self) -> int:
        """Step forward: REQUEST, HEAD, or NEED_DATA. ProtocolError where the peer is at fault."""
        if self._reader is not None:
            self._feed(self._reader)
            if not self._reader.done:
                return NEED_DATA
            self.body = self._reader.take()
            self._end_body(self._reader)
            return REQUEST
        data = self._data
        start = self._at
        if start == len(data):
            return NEED_DATA
        if data[start] <= 13:
            start = self._skip_empty_lines()
        end = data.find(b"\r\n\r\n", start) + 4
        if end < 4:
            self._check_incomplete(start)
            return NEED_DATA
        if end - start > self._limits.head_size:
            raise ProtocolError(431, "head-size", f"the head is over {self._limits.head_size} bytes")
        raw = data if start == 0 and end == len(data) else data[start:end]
        self._at = end
        self._parse(raw)
        self.body = b""
        if self._completion.complete:
            return REQUEST
        self._begin_body()
        return HEAD

    def limit_body(self, size: int) -> None:
        """Bound the body that follows. ProtocolError 413 where its length is over that already."""
        if self._reader is not None:
            self._reader.limit = size
            self._reader.check_limit()

    def next_part(self) -> bytes:
        """What has come of the body since the last call; `in_body` turns False with its end."""
        reader = self._reader
        if reader is None:
            return b""
        self._feed(reader)
        part = reader.take()
        if reader.done:
            self._end_body(reader)
        return part

    def _feed(self, reader: BodyReader) -> None:
        data = self._data[self._at :] if self._at else self._data
        self._data = b""
        self._at = 0
        if data:
            self.continue_expected = False
            reader.feed(data)

    def _end_body(self, reader: BodyReader) -> None:
        self._data = reader.rest
        self._reader = None
        self.continue_expected = False

    def _parse(self, raw: bytes) -> None:
        """Check `raw` against the grammar and the rules above it; fills `head`."""
        head = self.head
        self._completion.complete = False
        self._empty_lines = 0
        try:
            self._parser.feed_data(raw)
        except httptools.HttpParserUpgrade:
            self._ignore_upgrade(raw)
        except httptools.HttpParserError as error:
            raise ProtocolError(400, "grammar", f"the request can't be read: {error}") from error
        head.raw = raw
        head.lowered = lowered = raw.lower()
        # The request line that nearly all have, told by its ends; a space in between says it is another one.
        target = raw[4 : raw.find(b" HTTP/1.1\r\n")] if raw.startswith(b"GET /") else b" "
        if b" " in target:
            self._read_request_line(raw)
            target = head.target
        else:
            head.method = b"GET"
            head.target = target
            head.keep_alive = True
            head.http_1_0 = False
        authority = None
        if target[0] != 47 or b"#" in target or len(target) > self._limits.target_size:
            authority = self._check_target()
        at = lowered.find(b"\r\nhost:")
        if at < 0 or lowered.find(b"\r\nhost:", at + 7) >= 0 or not raw.startswith(self._known_host, at + 7):
            self._check_host()
        if len(raw) > 4096 and raw.count(b"\r\n") - 2 > self._limits.head_fields:
            raise ProtocolError(431, "head-fields", f"the head has over {self._limits.head_fields} fields")
        if b"\r\nconnection:" in lowered:
            self._read_connection_options()
        if authority is not None:
            self._replace_host(authority)

    def _ignore_upgrade(self, raw: bytes) -> None:
        """Asking for another protocol may be ignored (RFC 9110 section 7.8); the head itself was sound.

        Whether a body follows is for its fields to say, as llhttp stops looking here.
        """
        lowered = raw.lower()
        self._new_parser()
        self._completion.complete = not (b"\r\ncontent-length:" in lowered or b"\r\ntransfer-encoding:" in lowered)

    def _read_request_line(self, raw: bytes) -> None:
        """Method, target and version, exactly one space apart (RFC 9112 section 3)."""
        line = raw[: raw.find(b"\r")].split(b" ")
        if len(line) != 3:
            detail = "the request line must be method, target and version, one space apart"
            raise ProtocolError(400, "request-line", detail)
        self.head.method, self.head.target, version = line
        if version not in _VERSIONS:
            raise ProtocolError(505, "version", f"version {version[:16]!r} is not spoken here; use HTTP/1.1")
        self.head.http_1_0 = version == b"HTTP/1.0"
        self.head.keep_alive = not self.head.http_1_0

    def _check_host(self) -> None:
        """Exactly one valid Host (RFC 9112 section 3.2); HTTP/1.0 may do without."""
        head = self.head
        count = head.lowered.count(b"\r\nhost:")
        if count != 1:
            if count == 0 and head.http_1_0:
                return
            raise ProtocolError(400, "host-count", f"a request must have one Host field, not {count}")
        host = head.get(b"\r\nhost:")
        if _HOST.fullmatch(host) is None:
            raise ProtocolError(400, "host", f"Host {host[:64]!r} is not a host and port")
        # As it was sent, white space and line end included: the next head is held against it in one step.
        start = head.lowered.find(b"\r\nhost:") + 7
        self._known_host = head.raw[start : head.raw.find(b"\n", start) + 1]

    def _check_target(self) -> bytes | None:
        """The rarer forms of a target (RFC 9112 section 3.2): absolute becomes origin form, "*" is for OPTIONS.

        The authority of an absolute form, which stands above Host.
        """
        head = self.head
        if len(head.target) > self._limits.target_size:
            raise ProtocolError(414, "target-size", f"the target is over {self._limits.target_size} bytes")
        if b"#" in head.target:
            raise ProtocolError(400, "fragment", "a target must not have a fragment")
        if head.target == b"*" and head.method == b"OPTIONS":
            return None
        absolute = _ABSOLUTE.fullmatch(head.target)
        if absolute is None or not absolute[1] or _HOST.fullmatch(absolute[1]) is None:
            raise ProtocolError(400, "target", f"target {head.target[:64]!r} is not a path, nor a URL of this server")
        rest = absolute[2]
        head.target = rest if rest.startswith(b"/") else b"/" + rest
        return absolute[1]

    def _replace_host(self, host: bytes) -> None:
        """Put the target's host where handlers look for it (RFC 9112 section 3.2.2)."""
        head = self.head
        at = head.lowered.find(b"\r\nhost:")
        start = len(head.raw) - 4 if at < 0 else at
        end = start if at < 0 else head.raw.find(b"\r\n", at + 2)
        head.raw = head.raw[:start] + b"\r\nHost: " + host + head.raw[end:]
        head.lowered = head.raw.lower()

    def _read_connection_options(self) -> None:
        """`close` and `keep-alive` as tokens of all Connection fields (RFC 9112 section 9.3)."""
        lines = self.head.lowered.split(b"\r\n")
        values = b",".join(line[11:] for line in lines if line.startswith(b"connection:"))
        options = {option.strip(b" \t") for option in values.split(b",")}
        if b"close" in options:
            self.head.keep_alive = False
        elif b"keep-alive" in options:
            self.head.keep_alive = True

    def _skip_empty_lines(self) -> int:
        """Where the request line begins. A line end that stays in front of it is none that HTTP knows."""
        start = self._at
        while self._empty_lines < MAX_EMPTY_LINES and self._data.startswith(b"\r\n", start):
            self._empty_lines += 1
            start += 2
        self._at = start
        ahead = self._data[start : start + 2]
        if ahead.startswith(b"\n") or (len(ahead) == 2 and ahead.startswith(b"\r")):
            detail = f"a request may have {MAX_EMPTY_LINES} empty lines before it, each CRLF"
            raise ProtocolError(400, "empty-lines", detail)
        return start

    def _check_incomplete(self, start: int) -> None:
        """Refuse early what no further byte can mend, so that nobody waits for a time-out to learn it."""
        length = len(self._data) - start
        if length > self._limits.head_size:
            raise ProtocolError(431, "head-size", f"the head is over {self._limits.head_size} bytes")
        if _BARE_LF.search(self._data, start):
            raise ProtocolError(400, "bare-lf", "lines of a head must end with CRLF")
        method, space, _ = self._data[start : start + 64].partition(b" ")
        if (space or length > 32) and _METHOD.fullmatch(method) is None:
            raise ProtocolError(400, "method", "this is not an HTTP request")

    def _begin_body(self) -> None:
        """Read how the body is framed (RFC 9112 section 6.3). llhttp has refused both at once and bad lengths."""
        head = self.head
        self._new_parser()  # llhttp expects the body next; it never sees one
        expect = head.get(b"\r\nexpect:").lower()
        if expect and expect != b"100-continue":
            raise ProtocolError(417, "expect", f"expectation {expect[:64]!r} can't be met")
        coding = head.get(b"\r\ntransfer-encoding:").lower()
        if coding:
            if coding != b"chunked" or head.lowered.count(b"\r\ntransfer-encoding:") > 1:
                raise ProtocolError(
                    501, "transfer-coding", f"transfer coding {coding[:64]!r} is not known; use chunked"
                )
            if head.http_1_0:
                raise ProtocolError(400, "transfer-coding-1.0", "HTTP/1.0 has no transfer codings")
            self._reader = ChunkedReader(self._limits.body_size, self._limits.head_size)
        else:
            self._reader = FixedReader(int(head.get(b"\r\ncontent-length:")), self._limits.body_size)
        self.continue_expected = bool(expect) and self._at == len(self._data) and not head.http_1_0
