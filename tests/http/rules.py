"""The rules of HTTP/1.1 that servers break most, as data: what is sent, and which answers are right.

Nearly each stream is followed by PROBE, a request that closes its connection. So an exchange ends by itself and shows
whether the connection had stayed open: an outcome is the statuses in their order, then "probe" where the probe was
answered and "closed" where it was not. `right` begins with what Hopline answers; what else the RFC allows follows.
The application behind it is tests/http/echo.py or its ASGI twin.
"""

from dataclasses import dataclass

__all__ = ["PROBE", "RULES", "Rule"]

PROBE = b"GET /probe HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
_400 = ("400 closed",)
_400_OR_IGNORED = ("400 closed", "200 probe")
_BROKEN = ("400 closed", "closed")  # to break off without a word is allowed (9112 8)
_400_ANY = ("400 closed", "400 probe")  # not about framing, so the connection may go on
_501 = ("501 closed", "400 closed")
_LARGE = 4 << 20  # bytes: more than anyone should take without a word


@dataclass(frozen=True, slots=True)
class Rule:
    """One stream. `says` must be among the answers' bytes, `never` must not.

    `head` says that HEAD is asked first, `alone` that nobody may send a probe after it, as it ends the connection.
    """

    name: str
    section: str
    raw: bytes
    right: tuple[str, ...]
    says: bytes = b""
    never: bytes = b""
    head: bool = False
    alone: bool = False

    @property
    def stream(self) -> bytes:
        """All that is sent."""
        return self.raw if self.alone else self.raw + PROBE


def _get(fields: bytes = b"Host: h", line: bytes = b"GET / HTTP/1.1", ending: bytes = b"\r\n\r\n") -> bytes:
    return line + b"\r\n" + fields + ending


def _post(fields: bytes, body: bytes = b"hello", version: bytes = b"1.1") -> bytes:
    return b"POST / HTTP/" + version + b"\r\nHost: h\r\n" + fields + b"\r\n\r\n" + body


def _chunked(body: bytes) -> bytes:
    return _post(b"Transfer-Encoding: chunked", body)


_FRAMING = (
    Rule("lengths that differ", "9112 6.3", _post(b"Content-Length: 5\r\nContent-Length: 6"), _400),
    Rule("the same length twice", "9112 6.3", _post(b"Content-Length: 5\r\nContent-Length: 5"), _400_OR_IGNORED),
    Rule("a list of equal lengths", "9112 6.3", _post(b"Content-Length: 5, 5"), _400_OR_IGNORED),
    *(
        Rule(f"length {value.decode()[:22] or 'empty'}", "9112 6.3", _post(b"Content-Length: " + value), _400)
        for value in (b"+5", b"-0", b"-5", b"1_0", b"0x5", b"5 0", b"5.0", b"", b"9" * 40)
    ),
    Rule(
        "a length over 2^63",
        "9110 8.6",
        _post(b"Content-Length: 9223372036854775813"),
        ("413 closed", "400 closed", "silent"),
    ),
    Rule(
        "length and coding",
        "9112 6.1",
        _post(b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
        ("400 closed", "200 closed"),
    ),
    Rule(
        "coding and length",
        "9112 6.1",
        _post(b"Transfer-Encoding: chunked\r\nContent-Length: 5", b"0\r\n\r\n"),
        ("400 closed", "200 closed"),
    ),
    Rule(
        "coding xchunked", "9112 6.1", _post(b"Transfer-Encoding: xchunked", b"0\r\n\r\n"), ("400 closed", "501 closed")
    ),
    Rule("coding gzip", "9112 6.3", _post(b"Transfer-Encoding: gzip", b"0\r\n\r\n"), ("400 closed", "501 closed")),
    Rule("coding gzip, chunked", "9112 6.1", _post(b"Transfer-Encoding: gzip, chunked", b"0\r\n\r\n"), _501),
    Rule(
        "chunked not last",
        "9112 6.3",
        _post(b"Transfer-Encoding: chunked, identity", b"0\r\n\r\n"),
        ("400 closed", "501 closed"),
    ),
    Rule(
        "chunked twice",
        "9112 6.1",
        _post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
        ("400 closed", "501 closed"),
    ),
    Rule(
        "coding in HTTP/1.0",
        "9112 6.1",
        _post(b"Transfer-Encoding: chunked", b"0\r\n\r\n", b"1.0"),
        ("400 closed", "200 closed"),
    ),
    *(
        Rule(
            f"coding with {name}",
            "9110 5.5",
            _post(b"Transfer-Encoding: " + octet + b"chunked", b"0\r\n\r\n"),
            ("400 closed", "501 closed"),
        )
        for name, octet in (("VT", b"\x0b"), ("FF", b"\x0c"), ("NUL", b"\0"))
    ),
    Rule(
        "empty coding",
        "9112 6.3",
        _post(b"Transfer-Encoding:", b"0\r\n\r\n"),
        ("400 closed", "501 closed", "200 closed"),
    ),
)

_CHUNKS = (
    Rule(
        "chunks",
        "9112 7.1",
        _chunked(b"5;a=1\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n"),
        ("200 probe",),
        b"POST / hello!",
    ),
    *(
        Rule(f"chunk size {size.decode('latin-1')!r}", "9112 7.1", _chunked(size + b"\r\nhello\r\n0\r\n\r\n"), _BROKEN)
        for size in (b"0x5", b"+5", b"-5", b"0_5", b" 5", b"5 ", b"", b"10000000000000005", b";a")
    ),
    Rule("chunk size ended by LF", "9112 7.1", _chunked(b"5\nhello\r\n0\r\n\r\n"), _BROKEN),
    Rule("LF in a chunk extension", "9112 7.1.1", _chunked(b"5;a\nb\r\nhello\r\n0\r\n\r\n"), _BROKEN),
    Rule("CR in a chunk extension", "9112 7.1.1", _chunked(b"5;a\rb\r\nhello\r\n0\r\n\r\n"), _BROKEN),
    Rule("NUL in a chunk extension", "9112 7.1.1", _chunked(b"5;a\0b\r\nhello\r\n0\r\n\r\n"), _BROKEN),
    Rule(
        "a chunk extension of 4 MiB",
        "9112 7.1.1",
        _chunked(b"5;" + b"a" * _LARGE),
        ("400 closed", "413 closed", "431 closed", "closed"),
    ),
    Rule("no CRLF after a chunk", "9112 7.1", _chunked(b"5\r\nhello0\r\n\r\n"), _BROKEN),
    Rule("a chunk longer than its size", "9112 7.1", _chunked(b"4\r\nhello\r\n0\r\n\r\n"), _BROKEN),
    *(
        Rule(f"trailer {field.decode()}", "9110 6.5.1", _chunked(b"0\r\n" + field + b"\r\n\r\n"), _400_OR_IGNORED)
        for field in (b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Host: other")
    ),
    Rule("a trailer that is no field", "9112 7.1.2", _chunked(b"0\r\nnot a field\r\n\r\n"), _BROKEN),
    Rule(
        "trailers of 4 MiB",
        "9112 7.1.2",
        _chunked(b"0\r\n" + b"X: 12345678\r\n" * (_LARGE // 13)),
        ("431 closed", "400 closed", "413 closed", "closed"),
    ),
)

_LINES = (
    Rule("bare LF everywhere", "9112 2.2", _get(b"Host: h", ending=b"\n\n").replace(b"\r", b""), _400_OR_IGNORED),
    Rule("bare LF after a field", "9112 2.2", _get(b"Host: h\nX: y"), _400_OR_IGNORED),
    Rule("bare CR in a value", "9112 2.2", _get(b"Host: h\r\nX: a\rb"), _400_OR_IGNORED),
    Rule("NUL in a value", "9110 5.5", _get(b"Host: h\r\nX: a\0b"), _400_OR_IGNORED),
    Rule("BEL in a value", "9110 5.5", _get(b"Host: h\r\nX: a\x07b"), _400_OR_IGNORED),
    Rule("obs-fold", "9112 5.2", _get(b"Host: h\r\nX: a\r\n b"), _400_OR_IGNORED),
    Rule("space before the first field", "9112 2.2", _get(b" Host: h"), _400),
    Rule("space before the colon", "9112 5.1", _get(b"Host: h\r\nX : a"), _400),
    Rule("tab before the colon", "9112 5.1", _get(b"Host: h\r\nX\t: a"), _400),
    Rule("empty field name", "9112 5.1", _get(b"Host: h\r\n: a"), _400),
    Rule("field name with brackets", "9110 5.6.2", _get(b"Host: h\r\nX[]: a"), _400),
    Rule("field name beyond ASCII", "9110 5.6.2", _get(b"Host: h\r\nX\xe9: a"), _400),
    Rule("a line without a colon", "9112 5", _get(b"Host: h\r\nX"), _400),
    Rule("two spaces in the request line", "9112 3", _get(line=b"GET  / HTTP/1.1"), _400_OR_IGNORED),
    Rule("tabs in the request line", "9112 3", _get(line=b"GET\t/\tHTTP/1.1"), _400_OR_IGNORED),
    Rule("space after the version", "9112 3", _get(line=b"GET / HTTP/1.1 "), _400_OR_IGNORED),
    Rule("version 9.9", "9110 2.5", _get(line=b"GET / HTTP/9.9"), ("400 closed", "505 closed")),
    Rule("version in lower case", "9112 2.3", _get(line=b"GET / http/1.1"), ("400 closed", "505 closed")),
    Rule("HTTP/0.9", "9112 3", b"GET /\r\n", ("400 closed", "505 closed", "closed")),
    Rule("a bare LF first", "9112 2.2", b"\n" + _get(), _400_OR_IGNORED),
    Rule("an empty line first", "9112 2.2", b"\r\n" + _get(), ("200 probe",)),
    Rule("no HTTP at all", "9112 2.2", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n", ("400 closed", "closed")),
)

_TARGETS = (
    Rule("no Host", "9112 3.2", _get(b"X: y"), _400_ANY),
    Rule("two Hosts that differ", "9112 3.2", _get(b"Host: h\r\nHost: i"), _400_ANY),
    Rule("the same Host twice", "9112 3.2", _get(b"Host: h\r\nHost: h"), _400_ANY),
    Rule("user in Host", "9112 3.2", _get(b"Host: a@h"), _400_ANY),
    Rule("path in Host", "9112 3.2", _get(b"Host: h/a"), _400_ANY),
    Rule("space in Host", "9112 3.2", _get(b"Host: h i"), _400_ANY),
    Rule("HTTP/1.0 without Host", "9112 3.2", _get(b"X: y", b"GET / HTTP/1.0"), ("200 closed",), alone=True),
    Rule("absolute form", "9112 3.2.2", _get(line=b"GET http://h/a?b HTTP/1.1"), ("200 probe",), b"GET /a"),
    Rule(
        "absolute form overrides Host",
        "9112 3.2.2",
        _get(line=b"GET http://other/ HTTP/1.1"),
        ("200 probe",),
        b"for other",
    ),
    Rule("GET *", "9112 3.2.4", _get(line=b"GET * HTTP/1.1"), _400_ANY),
    Rule("OPTIONS *", "9110 9.3.7", _get(line=b"OPTIONS * HTTP/1.1"), ("204 probe", "200 probe")),
    Rule("fragment", "9112 3.2", _get(line=b"GET /a#b HTTP/1.1"), _400_ANY),
    Rule("target beyond ASCII", "9112 3.2", _get(line=b"GET /\xe9 HTTP/1.1"), _400_ANY),
    Rule("NUL in the target", "9112 3.2", _get(line=b"GET /\0 HTTP/1.1"), _400_ANY),
    Rule("DEL in the target", "9112 3.2", _get(line=b"GET /\x7f HTTP/1.1"), _400_ANY),
    Rule("%00 in the target", "3986 2.1", _get(line=b"GET /%00 HTTP/1.1"), ("200 probe", *_400_ANY)),
    Rule(
        "%0d%0a in the target",
        "3986 2.1",
        _get(line=b"GET /%0d%0aX:%20y HTTP/1.1"),
        ("200 probe", *_400_ANY),
        b"",
        b"\r\nX: y\r\n",
    ),
    Rule("target without a slash", "9112 3.2", _get(line=b"GET a HTTP/1.1"), _400_ANY),
    Rule(
        "CONNECT",
        "9110 9.3.6",
        _get(b"Host: h:1", b"CONNECT h:1 HTTP/1.1"),
        ("400 closed", "405 closed", "405 probe", "501 closed", "501 probe", "404 probe", "404 closed", "closed"),
    ),
)

_LENGTHY = ("431 closed", "400 closed", "413 closed", "closed")
_SEMANTICS = (
    Rule("pipelining", "9112 9.3.2", _get() * 3, ("200 200 200 probe",)),
    Rule(
        "a body, then a request", "9112 6.3", _post(b"Content-Length: 5") + _get(), ("200 200 probe",), b"POST / hello"
    ),
    Rule("HEAD", "9110 9.3.2", _get(line=b"HEAD / HTTP/1.1"), ("200 probe",), b"", b"HEAD /", head=True),
    Rule("204", "9110 15.3.5", _get(line=b"GET /204 HTTP/1.1"), ("204 probe",)),
    Rule("304", "9110 15.4.5", _get(line=b"GET /304 HTTP/1.1"), ("304 probe",)),
    Rule(
        "304 of an application with a body",
        "9112 6.3",
        _get(line=b"GET /304/body HTTP/1.1"),
        ("304 probe", "304 closed", "500 probe", "500 closed"),
        b"",
        b"a body",
    ),
    Rule("Connection: close", "9112 9.6", _get(b"Host: h\r\nConnection: close"), ("200 closed",), alone=True),
    Rule("close among options", "9112 9.6", _get(b"Host: h\r\nConnection: X, CLOSE"), ("200 closed",), alone=True),
    Rule(
        "close in a second field",
        "9112 9.6",
        _get(b"Host: h\r\nConnection: X\r\nConnection: close"),
        ("200 closed",),
        alone=True,
    ),
    Rule("HTTP/1.0", "9112 9.3", _get(line=b"GET / HTTP/1.0"), ("200 closed",), alone=True),
    Rule(
        "HTTP/1.0 with keep-alive",
        "9112 9.3",
        _get(b"Host: h\r\nConnection: keep-alive", b"GET / HTTP/1.0") * 2,
        ("200 200 probe", "200 closed"),
    ),
    Rule(
        "Expect that is known",
        "9110 10.1.1",
        _post(b"Content-Length: 5\r\nExpect: 100-continue"),
        ("200 probe",),
        b"POST / hello",
    ),
    Rule(
        "Expect that is not",
        "9110 10.1.1",
        _post(b"Content-Length: 5\r\nExpect: tea"),
        ("417 closed", "417 probe", "200 probe"),
    ),
    Rule(
        "Expect from HTTP/1.0",
        "9110 10.1.1",
        _post(b"Content-Length: 5\r\nExpect: 100-continue", version=b"1.0"),
        ("200 closed",),
        b"",
        b"100 Continue",
        alone=True,
    ),
    Rule(
        "an answer before the body was read",
        "9112 9.3",
        b"POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(_get(line=b"GET /bad HTTP/1.1"))
        + _get(line=b"GET /bad HTTP/1.1"),
        ("403 probe", "403 closed"),
        b"",
        b"GET /bad",
    ),
    Rule("a field of 4 MiB", "6585 5", _get(b"Host: h\r\nX: " + b"a" * _LARGE), _LENGTHY),
    Rule("300,000 fields", "6585 5", _get(b"Host: h" + b"\r\nX: 12345678" * 300_000), _LENGTHY),
    Rule(
        "a target of 4 MiB",
        "9110 15.5.15",
        _get(line=b"GET /" + b"a" * _LARGE + b" HTTP/1.1"),
        ("431 closed", "414 closed", "400 closed", "413 closed", "closed"),
    ),
    Rule(
        "a target of 20 KiB",
        "9110 15.5.15",
        _get(line=b"GET /" + b"a" * 20_480 + b" HTTP/1.1"),
        ("414 closed", "414 probe", "431 closed", "200 probe"),
    ),
)

_INJECTED = ("500 probe", "500 closed", "closed", "200 probe")
_ANSWERS = tuple(
    Rule(
        f"{what} of an answer",
        section,
        _get(line=b"GET /inject/" + what.encode().replace(b" ", b"-") + b" HTTP/1.1"),
        _INJECTED,
        b"",
        never,
    )
    for what, section, never in (
        ("CRLF in a value", "9110 5.5", b"\r\nevil"),
        ("LF in a value", "9110 5.5", b"\nevil"),
        ("CR in a value", "9110 5.5", b"\revil"),
        ("NUL in a value", "9110 5.5", b"\0"),
        ("CRLF in a name", "9110 5.1", b"\r\nevil"),
        ("space in a name", "9110 5.1", b"an evil"),
        ("LF in a cookie", "6265 4.1", b"\nevil"),
    )
)

RULES: tuple[Rule, ...] = (*_FRAMING, *_CHUNKS, *_LINES, *_TARGETS, *_SEMANTICS, *_ANSWERS)
