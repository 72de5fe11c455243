"""Content codings: gzip always, zstd and brotli where their library is installed.

Each encoder is made for one body. A library is looked for once, when a middleware is made.
"""

import importlib
import zlib
from collections.abc import Callable
from typing import Any, Final, Protocol

__all__ = ["Encoder", "encoder_factories"]


class Encoder(Protocol):
    """Compresses one body."""

    def write(self, part: bytes) -> bytes:
        """Take a part; what has come out so far, often nothing."""
        ...

    def flush(self) -> bytes:
        """All of what was written, so that the reader has it now."""
        ...

    def finish(self) -> bytes:
        """The rest and the end."""
        ...


class _Gzip:
    def __init__(self) -> None:
        self._compressor = zlib.compressobj(6, zlib.DEFLATED, 31)
        self.write = self._compressor.compress

    def flush(self) -> bytes:
        return self._compressor.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._compressor.flush(zlib.Z_FINISH)


class _Brotli:
    def __init__(self, library: Any) -> None:
        compressor = library.Compressor(quality=4)  # 11, its default, takes a hundred times as long
        self.write: Callable[[bytes], bytes] = compressor.process
        self.flush: Callable[[], bytes] = compressor.flush
        self.finish: Callable[[], bytes] = compressor.finish


class _Zstandard:
    """The package `zstandard`."""

    def __init__(self, library: Any) -> None:
        self._compressor = library.ZstdCompressor(level=3).compressobj()
        self._block = library.COMPRESSOBJ_FLUSH_BLOCK
        self.write: Callable[[bytes], bytes] = self._compressor.compress
        self.finish: Callable[[], bytes] = self._compressor.flush

    def flush(self) -> bytes:
        flushed: bytes = self._compressor.flush(self._block)
        return flushed


class _CompressionZstd:
    """The standard library's `compression.zstd`, from Python 3.14 on."""

    def __init__(self, library: Any) -> None:
        self._compressor = library.ZstdCompressor(level=3)
        self.write: Callable[[bytes], bytes] = self._compressor.compress
        self.finish: Callable[[], bytes] = self._compressor.flush

    def flush(self) -> bytes:
        flushed: bytes = self._compressor.flush(self._compressor.FLUSH_BLOCK)
        return flushed


_LIBRARIES: Final[tuple[tuple[str, str, Callable[[Any], Encoder]], ...]] = (
    ("zstd", "compression.zstd", _CompressionZstd),
    ("zstd", "zstandard", _Zstandard),
    ("br", "brotli", _Brotli),
)


def encoder_factories() -> dict[str, Callable[[], Encoder]]:
    """What makes an encoder, for each content coding that can be had here; the one to prefer first."""
    factories: dict[str, Callable[[], Encoder]] = {}
    for coding, module, make in _LIBRARIES:
        try:
            library = importlib.import_module(module)
        except ImportError:
            continue
        factories.setdefault(coding, lambda make=make, library=library: make(library))  # type: ignore[misc]
    factories["gzip"] = _Gzip
    return factories
