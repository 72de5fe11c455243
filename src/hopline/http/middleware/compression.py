"""Compressed answers for clients that take them (RFC 9110 section 8.4).

A page that shows both a secret and what an attacker chose tells the secret by its compressed size (the BREACH
attack): leave such pages out with `cache-control: no-transform`.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from typing import Final

from hopline.http.fields import add_vary, chosen_encoding, field_of
from hopline.http.message import Request, Response
from hopline.http.middleware.composing import Answer, then
from hopline.http.middleware.encoders import Encoder, encoder_factories
from hopline.http.protocol import Handler, Middleware

__all__ = ["compression"]

THREAD_SIZE: Final = 65_536  # bytes above which compressing would hold the loop for over a millisecond
# Event streams are left out: a compressor for each would cost 256 KiB a client.
_TYPES: Final = frozenset(
    ("application/json", "application/javascript", "application/xml", "application/wasm", "application/manifest+json",
     "application/x-ndjson", "image/svg+xml", "image/bmp", "font/ttf", "font/otf")
)  # fmt: skip


def compression(*, min_size: int = 500, encodings: Sequence[str] | None = None) -> Middleware:
    """Compress answers of types that gain from it, where they have at least `min_size` bytes or are streamed.

    `encodings` are the codings to offer, the preferred first; by default "zstd" and "br" where a library for them
    is installed, then "gzip". Bodies over 64 KiB are compressed in a thread of the loop's executor; each part
    of a stream is flushed, so that it reaches the reader at once.
    """
    available = encoder_factories()
    offered = tuple(available if encodings is None else encodings)
    for coding in offered:
        if coding not in available:
            raise ValueError(f"encoding {coding!r} can't be had here; there are {', '.join(available)}")

    def wrap(handler: Handler) -> Handler:
        def handle(request: Request) -> Answer:
            def compress(response: Response) -> Answer:
                unchanged = response.status == 304
                if not unchanged and not _is_worth_it(response, min_size):
                    return response
                coding = chosen_encoding(request.headers.get("accept-encoding"), offered)
                add_vary(response, "accept-encoding")
                if unchanged:
                    return response if coding is None else _as_compressed(response)
                return response if coding is None else _compressed(response, coding, available[coding])

            return then(handler(request), compress)

        return handle

    return wrap


def _is_worth_it(response: Response, min_size: int) -> bool:
    if response.stream is None and len(response.body) < min_size:
        return False
    if response.stream is not None and response.length is not None and response.length < min_size:
        return False
    kind = (field_of(response, "content-type") or "").partition(";")[0].strip().lower()
    fits = kind in _TYPES or kind.endswith(("+json", "+xml")) or (kind[:5] == "text/" and kind != "text/event-stream")
    return (
        fits
        and response.status not in (204, 206)
        and field_of(response, "content-encoding") is None
        and "no-transform" not in (field_of(response, "cache-control") or "").lower()
    )


def _as_compressed(response: Response) -> Response:
    """A 304 stands for the answer that would have been compressed, and so has its validator."""
    response.headers = [_weakened(field) for field in response.headers]
    return response


def _compressed(response: Response, coding: str, make: Callable[[], Encoder]) -> Answer:
    # A byte range of the plain body is no range of this one, and a strong validator would say that both are the same.
    kept = [_weakened(field) for field in response.headers if field[0].lower() not in ("accept-ranges", "content-md5")]
    response.headers = [*kept, ("content-encoding", coding)]
    if response.stream is not None:
        response.stream = _in_parts(response.stream, make())
        response.length = None
        return response
    if len(response.body) > THREAD_SIZE:
        return _in_a_thread(response, make)
    response.body = _whole(make, response.body)
    return response


def _weakened(field: tuple[str, str]) -> tuple[str, str]:
    name, value = field
    return (name, f"W/{value}") if name.lower() == "etag" and not value.startswith("W/") else field


def _whole(make: Callable[[], Encoder], body: bytes) -> bytes:
    encoder = make()
    return encoder.write(body) + encoder.finish()


async def _in_a_thread(response: Response, make: Callable[[], Encoder]) -> Response:
    response.body = await asyncio.to_thread(_whole, make, response.body)
    return response


def _flushed(encoder: Encoder, part: bytes) -> bytes:
    return encoder.write(part) + encoder.flush()


async def _in_parts(parts: AsyncIterable[bytes], encoder: Encoder) -> AsyncIterator[bytes]:
    async for part in parts:
        if len(part) > THREAD_SIZE:
            yield await asyncio.to_thread(_flushed, encoder, part)
        elif part:
            yield _flushed(encoder, part)
    yield encoder.finish()
