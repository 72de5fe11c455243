"""Forwarded headers: the client that a proxy in front speaks for, read from right to left.

Each proxy adds at the right end the address that it saw. The rightmost is the word of our own proxy; the one before
it is worth something only if that address is a proxy of ours, too; and so on, up to the first that is not:
that is the client, and what stands left of it anybody may have written.

One family of headers is read, X-Forwarded-* or `Forwarded` (RFC 7239), never both: a proxy that sets the one passes
the other on as the client sent it.
"""

import re
from collections.abc import Awaitable, Iterator
from ipaddress import ip_address
from typing import Final, NamedTuple

from hopline.http.head import Head
from hopline.http.message import Request, Response
from hopline.http.protocol import Handler, Middleware
from hopline.http.trust import TrustedProxies

__all__ = ["Client", "client_of", "forwarded"]

MOST_HOPS: Final = 32  # more proxies in a row are a loop
SCHEMES: Final = frozenset({"http", "https", "ws", "wss"})
_HOST: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~]+)(?::[0-9]{1,5})?")
# One parameter of RFC 7239 section 4, a token or a quoted string, with the separator that ends it.
_PARAMETER: Final = re.compile(r'[ \t]*([!#$%&\'*+\-.^_`|~0-9A-Za-z]+)=("(?:[^"\\]|\\.)*"|[^",; \t]*)[ \t]*(;|,|$)')


class Client(NamedTuple):
    """Who asks: an address, "" if not known, and the scheme and host that were asked for, None if nobody said."""

    address: str
    scheme: str | None
    host: str | None


class _Hop(NamedTuple):
    """What one proxy said."""

    address: str
    scheme: str
    host: str


def client_of(request: Request | Head, trusted: TrustedProxies, *, standard: bool = False) -> Client:
    """The client of `request`, as far as `trusted` proxies vouch for it.

    Reads X-Forwarded-For, -Proto and -Host, or with `standard` the field `Forwarded`. What is malformed ends the
    reading: the last address that was vouched for stands.
    """
    info = request.connection
    address = None if info.peer is None else info.peer[0]
    if address not in trusted:
        return Client(address or "", None, None)
    hops = _forwarded(request) if standard else _x_forwarded(request)
    scheme = host = None
    for count, hop in enumerate(reversed(hops)):
        if count >= MOST_HOPS or address not in trusted:
            break
        scheme = hop.scheme if hop.scheme in SCHEMES else scheme
        host = hop.host if _HOST.fullmatch(hop.host) else host
        said = _address(hop.address)
        if not said:
            break
        address = said
    return Client(address or "", scheme, host)


def forwarded(trusted: TrustedProxies, *, standard: bool = False) -> Middleware:
    """Middleware that gives handlers the real client: `request.peer` (its port 0), `request.scheme`, `request.host`.

    Use it first. Raw routes come before all middleware and call `client_of` themselves.
    """

    def middleware(handler: Handler) -> Handler:
        def handle(request: Request) -> Response | Awaitable[Response]:
            client = client_of(request, trusted, standard=standard)
            if client.address and (request.peer is None or client.address != request.peer[0]):
                request.peer = (client.address, 0)
            if client.scheme is not None:
                request.scheme = client.scheme
            if client.host is not None:
                request.host = client.host
            return handler(request)

        return handle

    return middleware


def _x_forwarded(request: Request | Head) -> list[_Hop]:
    """The hops of X-Forwarded-For, each with the scheme and host that stand as far from the right as it does.

    A proxy that replaces instead of adding leaves one value, which then stands for all.
    """
    addresses = _items(request, "x-forwarded-for")
    schemes = _items(request, "x-forwarded-proto")
    hosts = _items(request, "x-forwarded-host")
    count = max(len(addresses), bool(schemes), bool(hosts))
    return [
        _Hop(_from_right(addresses, back), _from_right(schemes, back).lower(), _from_right(hosts, back))
        for back in range(count, 0, -1)
    ]


def _from_right(items: list[str], back: int) -> str:
    if len(items) == 1 or len(items) >= back:
        return items[-min(back, len(items))]
    return ""


def _items(request: Request | Head, name: str) -> list[str]:
    return [item.strip() for value in _values(request, name) for item in value.split(",")]


def _forwarded(request: Request | Head) -> list[_Hop]:
    """The elements of Forwarded; nothing of a field that is malformed anywhere, as its parts could be anybody's."""
    hops: list[_Hop] = []
    for value in _values(request, "forwarded"):
        found = list(_elements(value))
        if not found:
            hops.clear()
        hops += found
    return hops


def _elements(value: str) -> Iterator[_Hop]:
    pairs: dict[str, str] = {}
    hops: list[_Hop] = []
    at = 0
    while at < len(value):
        found = _PARAMETER.match(value, at)
        if found is None:
            return
        name, word, separator = found.groups()
        pairs[name.lower()] = re.sub(r"\\(.)", r"\1", word[1:-1]) if word.startswith('"') else word
        at = found.end()
        if separator != ";":
            hops.append(_Hop(pairs.get("for", ""), pairs.get("proto", "").lower(), pairs.get("host", "")))
            pairs = {}
    yield from hops


def _values(request: Request | Head, name: str) -> list[str]:
    if isinstance(request, Request):
        return request.headers.getall(name)
    lines = request.raw[:-4].split(b"\r\n")[1:]
    split = (line.decode("latin-1").partition(":") for line in lines)
    return [value.strip(" \t") for field, _, value in split if field.lower() == name]


def _address(text: str) -> str:
    """An IP address without the port that may follow it; "" for "unknown", names and nonsense."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ip_address(text))
    except ValueError:
        return ""
