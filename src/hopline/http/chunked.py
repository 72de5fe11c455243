"""The chunked transfer coding, read strictly (RFC 9112 section 7.1).

Every reading that two servers could disagree on is refused: sizes with signs, spaces, prefixes or more
than eight digits, bare line feeds, control characters in extensions, data that outgrows its size.
Pure: bytes in, bytes out.
"""

import re

from hopline.http.errors import ProtocolError

__all__ = ["ChunkedReader"]

# A size of eight hexadecimal digits is 4 GiB; no body limit is near it, so longer ones are never needed.
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")
_TRAILER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t\x20-\x7e\x80-\xff]*")
_FORBIDDEN_TRAILERS = frozenset((b"content-length", b"transfer-encoding", b"host"))  # RFC 9110 section 6.5.1
MAX_LINE = 1024


class ChunkedReader:
    """Collects one chunked body. `feed` until it answers True; then `body` is whole and `rest` is what follows."""

    __slots__ = ("_buffer", "_left", "_limit", "_parts", "_size", "_step", "_trailer_limit")

    def __init__(self, limit: int, trailer_limit: int) -> None:
        self._limit = limit
        self._trailer_limit = trailer_limit
        self._buffer = b""
        self._parts: list[bytes] = []
        self._size = 0
        self._left = 0
        self._step = self._read_size

    @property
    def body(self) -> bytes:
        """The decoded body, whole once `feed` answered True."""
        return b"".join(self._parts)

    @property
    def rest(self) -> bytes:
        """Bytes after the body: the next request's."""
        return self._buffer

    def feed(self, data: bytes) -> bool:
        """Take in `data`; True when the body is whole. ProtocolError 400 or 413 where it can't be."""
        self._buffer += data
        while True:
            outcome = self._step()
            if outcome is not None:
                return outcome

    def _line(self, limit: int) -> bytes | None:
        """The next line without its CRLF, or None while it is incomplete."""
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > limit:
                raise ProtocolError(400, "chunk-line-length", f"a line of a chunked body is over {limit} bytes")
            return None
        if end > limit or end == 0 or self._buffer[end - 1] != 13:
            raise ProtocolError(400, "chunk-line", "a line of a chunked body must be short and end with CRLF")
        line = self._buffer[: end - 1]
        self._buffer = self._buffer[end + 1 :]
        return line

    def _read_size(self) -> bool | None:
        line = self._line(MAX_LINE)
        if line is None:
            return False
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            raise ProtocolError(400, "chunk-size", f"a chunk's size can't be read: {line[:40]!r}")
        self._left = int(match[1], 16)
        self._size += self._left
        if self._size > self._limit:
            raise ProtocolError(413, "body-size", f"the body is over {self._limit} bytes")
        self._step = self._read_data if self._left else self._read_trailers
        return None

    def _read_data(self) -> bool | None:
        part = self._buffer[: self._left]
        if part:
            self._parts.append(part)
            self._left -= len(part)
            self._buffer = self._buffer[len(part) :]
        if self._left or len(self._buffer) < 2:
            return False
        if not self._buffer.startswith(b"\r\n"):
            raise ProtocolError(400, "chunk-end", "a chunk's data must end with CRLF")
        self._buffer = self._buffer[2:]
        self._step = self._read_size
        return None

    def _read_trailers(self) -> bool | None:
        line = self._line(MAX_LINE)
        if line is None:
            return False
        if not line:
            return True
        self._trailer_limit -= len(line) + 2
        if self._trailer_limit < 0:
            raise ProtocolError(431, "trailer-size", "the trailers are too long")
        match = _TRAILER.fullmatch(line)
        if match is None or match[1].lower() in _FORBIDDEN_TRAILERS:
            raise ProtocolError(400, "trailer", f"a trailer can't be used: {line[:40]!r}")
        return None  # trailers are checked and dropped: nothing here may act on them
