"""Where a click came from, out of what the client sent: referrer host, language, campaign.

Everything here is the sender's to choose, so every value is bounded and cleaned, and what makes no sense
becomes one fixed word instead of a row of its own.
"""

import re
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from hopline.shortener.clicks.values import clean

__all__ = ["DIRECT", "INVALID", "UTM_FIELDS", "campaign", "primary_language", "referrer_host"]

DIRECT: Final = "(direct)"
INVALID: Final = "(invalid)"
UTM_FIELDS: Final = ("utm_source", "utm_medium", "utm_campaign")

_LANGUAGE: Final = re.compile(rb"\s*([A-Za-z]{2,8})(?:[-_][A-Za-z0-9_-]*)?\s*(?:[,;]|$)")
_HOST: Final = re.compile(r"[\w.:\[\]-]+")


def referrer_host(referrer: bytes, own_hosts: frozenset[str] = frozenset()) -> str:
    """The referrer's host in lower case, without port and leading "www.".

    "(direct)" where there is none or it is our own (someone clicked in the dashboard: no place of origin).
    """
    text = referrer.decode("utf-8", "replace").strip()
    if not text:
        return DIRECT
    try:
        host = urlsplit(text).hostname
    except ValueError:
        host = None
    if host is None or not _HOST.fullmatch(host):
        return INVALID
    host = host.rstrip(".")
    if host in own_hosts:
        return DIRECT
    return clean(host.removeprefix("www.")) or INVALID


@lru_cache(maxsize=1024)
def primary_language(header: bytes) -> str | None:
    """The primary tag of the first language in an Accept-Language header: "de-AT,de;q=0.9" is "de"."""
    found = _LANGUAGE.match(header)
    return found[1].decode().lower() if found else None


@lru_cache(maxsize=8192)
def campaign(query: bytes) -> tuple[str | None, ...]:
    """The values of utm_source, utm_medium and utm_campaign in a query string; the first of each counts."""
    if b"utm_" not in query:
        return (None, None, None)
    fields: dict[str, str] = {}
    for name, value in parse_qsl(query.decode("utf-8", "replace"), errors="replace"):
        fields.setdefault(name, clean(value))
    return tuple(fields.get(name) or None for name in UTM_FIELDS)
