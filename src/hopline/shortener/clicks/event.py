"""One click, as bytes: the payload of a journal record.

Layout (little endian): time in ms u64 · link id u64 · visitor hash u64 · country 2 bytes ASCII, zero where
unknown · kind u8 · lengths of user agent u16, referrer u16, language u8, query u16 · those four strings.
The strings are what the client sent, white space around them included, cut to the bounds below; no record holds
an address.

The first 24 bytes change with every click; what follows, the tail, is the same for all clicks of one browser
from one page. Whoever packs many clicks can keep the tail, and the ingester counts equal tails as one.
"""

from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Final

__all__ = [
    "FIXED",
    "HEAD",
    "MAX_AGENT",
    "MAX_LANGUAGE",
    "MAX_QUERY",
    "MAX_REFERRER",
    "Click",
    "ClickKind",
    "pack",
    "split_tail",
    "unpack",
]

FIXED: Final = Struct("<QQQ2sBHHBH")
HEAD: Final = Struct("<QQQ")  # time in ms, link id, visitor hash; the tail follows
MAX_AGENT: Final = 512
MAX_REFERRER: Final = 512
MAX_LANGUAGE: Final = 64
MAX_QUERY: Final = 512

_TAIL: Final = Struct("<2sBHHBH")
_pack = FIXED.pack


class ClickKind(IntEnum):
    """Why a redirect was answered. Only CLICK counts as a click; the others are counted beside it."""

    CLICK = 0
    HEAD = 1
    PREFETCH = 2


@dataclass(frozen=True, slots=True)
class Click:
    """A decoded record."""

    time_ms: int
    link_id: int
    visitor: int
    country: bytes
    kind: int
    agent: bytes
    referrer: bytes
    language: bytes
    query: bytes


def pack(
    time_ms: int,
    link_id: int,
    visitor: int,
    country: bytes,
    kind: int,
    agent: bytes,
    referrer: bytes,
    language: bytes,
    query: bytes,
) -> bytes:
    """The payload of one click. Strings over their bound are cut, never refused: a click is a click."""
    agent_size, referrer_size, language_size, query_size = len(agent), len(referrer), len(language), len(query)
    if agent_size > MAX_AGENT or referrer_size > MAX_REFERRER or language_size > MAX_LANGUAGE or query_size > MAX_QUERY:
        cut = (agent[:MAX_AGENT], referrer[:MAX_REFERRER], language[:MAX_LANGUAGE], query[:MAX_QUERY])
        return pack(time_ms, link_id, visitor, country, kind, *cut)
    fixed = _pack(time_ms, link_id, visitor, country, kind, agent_size, referrer_size, language_size, query_size)
    return b"".join((fixed, agent, referrer, language, query))


def split_tail(tail: bytes) -> tuple[bytes, int, bytes, bytes, bytes, bytes]:
    """Country, kind, agent, referrer, language and query out of a tail. ValueError if lengths don't add up."""
    if len(tail) < _TAIL.size:
        raise ValueError(f"a click of {HEAD.size + len(tail)} bytes is shorter than its fixed part of {FIXED.size}")
    country, kind, agent, referrer, language, query = _TAIL.unpack_from(tail)
    agent += _TAIL.size
    referrer += agent
    language += referrer
    query += language
    if query != len(tail):
        raise ValueError(f"a click of {HEAD.size + len(tail)} bytes should have {HEAD.size + query} by its lengths")
    return country, kind, tail[_TAIL.size : agent], tail[agent:referrer], tail[referrer:language], tail[language:]


def unpack(payload: bytes) -> Click:
    """The click in `payload`. ValueError where the lengths don't add up."""
    if len(payload) < FIXED.size:
        raise ValueError(f"a click of {len(payload)} bytes is shorter than its fixed part of {FIXED.size}")
    time_ms, link_id, visitor = HEAD.unpack_from(payload)
    return Click(time_ms, link_id, visitor, *split_tail(payload[HEAD.size :]))
