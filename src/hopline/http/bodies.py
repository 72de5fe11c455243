"""Bodies as they arrive, in both framings of RFC 9112 section 6: a length, or chunks.

A reader takes bytes in and gives the body's bytes out, as soon as they are there: who wants the whole body takes once,
who streams takes as often as something came. Pure.

Chunks are read strictly (section 7.1). Every reading that two servers could disagree on is refused: sizes with signs,
spaces, prefixes or more than eight digits, bare line feeds, control characters in extensions, data that outgrows its
size.
"""

import re

from hopline.http.errors import ProtocolError

__all__ = ["BodyReader", "ChunkedReader", "FixedReader"]

# A size of eight hexadecimal digits is 4 GiB; no body limit is near it, so longer ones are never needed.
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")
_TRAILER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t\x20-\x7e\x80-\xff]*")
_FORBIDDEN_TRAILERS = frozenset((b"content-length", b"transfer-encoding", b"host"))  # RFC 9110 section 6.5.1
MAX_LINE = 1024


class BodyReader:
    """One body. `feed` until `done`; then `rest` is what follows it. `limit` may be set until the first `feed`."""

    __slots__ = ("_parts", "done", "limit", "rest", "size")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.done = False
        self.rest = b""
        self.size = 0  # bytes of body seen
        self._parts: list[bytes] = []

    def check_limit(self) -> None:
        """ProtocolError 413 where it is known already that the body is over the limit."""

    def feed(self, data: bytes) -> None:
        """Take in `data`. ProtocolError 400, 413 or 431 where it can't be part of this body."""
        raise NotImplementedError  # each framing has its own

    def take(self) -> bytes:
        """What came since the last call."""
        parts = self._parts
        if not parts:
            return b""
        taken = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        return taken

    def _too_large(self) -> ProtocolError:
        return ProtocolError(413, "body-size", f"the body is over {self.limit} bytes")


class FixedReader(BodyReader):
    """A body of a known length."""

    __slots__ = ("_left",)

    def __init__(self, length: int, limit: int) -> None:
        super().__init__(limit)
        self._left = length
        self.done = length == 0

    def check_limit(self) -> None:
        if self._left > self.limit:
            raise self._too_large()

    def feed(self, data: bytes) -> None:
        part = data[: self._left]
        if part:
            self._parts.append(part)
            self.size += len(part)
            self._left -= len(part)
        if not self._left:
            self.done = True
            self.rest = data[len(part) :]


class ChunkedReader(BodyReader):
    """A body in chunks; its trailers are checked and dropped, as nothing here may act on them."""

    __slots__ = ("_buffer", "_left", "_step", "_trailer_limit")

    def __init__(self, limit: int, trailer_limit: int) -> None:
        super().__init__(limit)
        self._trailer_limit = trailer_limit
        self._buffer = b""
        self._left = 0
        self._step = self._read_size

    def feed(self, data: bytes) -> None:
        self._buffer += data
        while self._step():
            pass
        if self.done:
            self.rest = self._buffer

    def _line(self) -> bytes | None:
        """The next line without its CRLF, or None while it is incomplete."""
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > MAX_LINE:
                raise ProtocolError(400, "chunk-line-length", f"a line of a chunked body is over {MAX_LINE} bytes")
            return None
        if end > MAX_LINE or end == 0 or self._buffer[end - 1] != 13:
            raise ProtocolError(400, "chunk-line", "a line of a chunked body must be short and end with CRLF")
        line = self._buffer[: end - 1]
        self._buffer = self._buffer[end + 1 :]
        return line

    # Each step answers whether another one can be taken with the bytes there are.

    def _read_size(self) -> bool:
        line = self._line()
        if line is None:
            return False
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            raise ProtocolError(400, "chunk-size", f"a chunk's size can't be read: {line[:40]!r}")
        self._left = int(match[1], 16)
        self.size += self._left
        if self.size > self.limit:
            raise self._too_large()
        self._step = self._read_data if self._left else self._read_trailers
        return True

    def _read_data(self) -> bool:
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
        return True

    def _read_trailers(self) -> bool:
        line = self._line()
        if line is None:
            return False
        if not line:
            self.done = True
            return False
        self._trailer_limit -= len(line) + 2
        if self._trailer_limit < 0:
            raise ProtocolError(431, "trailer-size", "the trailers are too long")
        match = _TRAILER.fullmatch(line)
        if match is None or match[1].lower() in _FORBIDDEN_TRAILERS:
            raise ProtocolError(400, "trailer", f"a trailer can't be used: {line[:40]!r}")
        return True
