"""Codes people choose: what is allowed, and how a request's path becomes a code.

1 to 128 characters in NFC: letters and digits of any script, the marks that belong to them, `-`, `_`, `.`, `~`,
and `/` between other characters. Case counts. Nothing invisible is taken, since two codes must not look the same
for want of ink. What the service itself answers is reserved, and so is a code whose path a browser would rewrite
on its way here. Pure.
"""

import re
import unicodedata
from typing import Final
from urllib.parse import unquote_to_bytes

from hopline.shortener.links.link import InvalidLink

__all__ = ["MAX_LENGTH", "RESERVED", "code_from_path", "normalise_code"]

MAX_LENGTH: Final = 128
MAX_PATH: Final = MAX_LENGTH * 12  # a code of four-byte characters, every byte percent-encoded
_PUNCTUATION: Final = frozenset("-_.~/")
# First segments, in lower case, that belong to the service or that browsers and crawlers ask for by themselves.
_RESERVED_LINES: Final = """
    api dashboard health metrics shorten static assets admin login logout sign-in sign-out docs openapi.json
    favicon.ico robots.txt sitemap.xml humans.txt security.txt ads.txt app-ads.txt manifest.json sw.js
    apple-touch-icon.png apple-touch-icon-precomposed.png browserconfig.xml crossdomain.xml .well-known
    rest qr track
"""
RESERVED: Final = frozenset(_RESERVED_LINES.split())
# Letters and marks that are drawn as nothing: Default_Ignorable_Code_Point of Unicode, as far as categories L and M
# have any (Hangul fillers, the grapheme joiner, variation selectors).
_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def normalise_code(raw: str) -> str:
    """`raw` in NFC, or InvalidLink naming custom_code and the reason."""
    code = unicodedata.normalize("NFC", raw)
    if not code:
        raise _invalid("a custom code needs at least one character")
    if len(code) > MAX_LENGTH:
        raise _invalid(f"a custom code can have {MAX_LENGTH} characters; this one has {len(code)}")
    for character in code:
        if not _allowed(character):
            raise _invalid(
                f"{_shown(character)} can't be in a custom code; use letters, digits, '-', '_', '.', '~', '/'"
            )
    _check_marks(code)
    segments = code.split("/")
    if "" in segments:
        raise _invalid("'/' can only stand between other characters of a custom code, once at a time")
    if any(segment in (".", "..") for segment in segments):
        raise _invalid("a part of a custom code can't be '.' or '..': browsers would rewrite its address")
    if segments[0].lower() in RESERVED:
        raise _invalid(f"{segments[0]!r} belongs to the service; choose another first part")
    if len(segments) > 1 and segments[-1] == "stats":
        raise _invalid("a custom code can't end in '/stats': that address shows a link's statistics")
    return code


def _check_marks(code: str) -> None:
    before = "/"
    for character in code:
        if before in _PUNCTUATION and unicodedata.category(character).startswith("M"):
            raise _invalid("a combining mark in a custom code needs a letter or digit before it")
        before = character


def _allowed(character: str) -> bool:
    if character in _PUNCTUATION:
        return True
    if _INVISIBLE.match(character):
        return False
    category = unicodedata.category(character)
    return category[0] == "L" or category in ("Nd", "Mn", "Mc")


def _shown(character: str) -> str:
    if character.isspace():
        return "a space" if character == " " else "white space"
    if not character.isprintable() or _INVISIBLE.match(character):
        return f"the invisible character U+{ord(character):04X}"
    return repr(character)


def _invalid(reason: str) -> InvalidLink:
    return InvalidLink("custom_code", reason)


def code_from_path(raw_path: bytes) -> str | None:
    """The code that `raw_path` (percent-encoded, without its first slash) names; None where it can't be one.

    The path is decoded and normalised, so that every way a browser may write a code finds the same link.
    """
    if not raw_path or len(raw_path) > MAX_PATH:
        return None
    try:
        decoded = (unquote_to_bytes(raw_path) if b"%" in raw_path else raw_path).decode("utf-8")
    except UnicodeDecodeError:
        return None
    code = unicodedata.normalize("NFC", decoded)
    if len(code) > MAX_LENGTH or not all(map(_allowed, code)):
        return None
    return code
