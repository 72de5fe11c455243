"""Long URLs: what is accepted, and the one way each is written.

A URL is kept as the address a browser would request (the URL Standard's parser and serialiser for http and https),
so that what a visitor is sent to is what was checked. Where that standard quietly repairs, this refuses what
nobody writes on purpose: control characters, line breaks, and credentials unless they are allowed. The result is
ASCII without spaces or controls: it can stand in a Location field as it is. Pure.
https://url.spec.whatwg.org/#url-parsing
"""

import re
from dataclasses import dataclass, field
from typing import Final

from hopline.shortener.links.hosts import HostError, normalise_host
from hopline.shortener.links.link import InvalidLink

__all__ = ["UrlRules", "normalise_url"]

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
# The percent-encode sets of the URL Standard; bytes from 0x7f up are encoded in all of them.
_FRAGMENT: Final = frozenset(b' "<>`')
_QUERY: Final = frozenset(b" \"#<>'")
_PATH: Final = frozenset(b' "#<>?^`{}')
_USERINFO: Final = frozenset(b' "#<>?^`{}/:;=@[\\]|')
_ONE_DOT: Final = frozenset((".", "%2e"))
_TWO_DOTS: Final = frozenset(("..", ".%2e", "%2e.", "%2e%2e"))
_SHOWN: Final = 80  # characters of what was sent that an error repeats


@dataclass(frozen=True, slots=True)
class UrlRules:
    """What this service accepts. `own_hosts` are its own names, as host or host:port: a link to itself would loop."""

    own_hosts: frozenset[str] = field(default_factory=frozenset)
    allow_credentials: bool = False
    max_length: int = 8192


def normalise_url(raw: str, rules: UrlRules) -> str:
    """`raw` as a browser would request it, or InvalidLink naming url and the reason."""
    text = raw.strip(" ")
    if not text:
        raise _invalid("an address is needed")
    if len(text) > rules.max_length:
        raise _invalid(f"the address has {len(text)} characters; at most {rules.max_length} are taken")
    control = _CONTROL.search(text)
    if control is not None:
        raise _invalid(f"control characters can't be in an address: found U+{ord(control[0]):04X}")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise _invalid("the address has half a character in it (a lone surrogate)") from None
    scheme, rest = _split_scheme(text)
    before, hash_, fragment = rest.partition("#")
    before, mark, query = before.partition("?")
    authority, slash, path = before.replace("\\", "/").lstrip("/").partition("/")
    result = f"{scheme}://{_authority(authority, scheme, rules)}/{_path(path) if slash else ''}"
    if mark:
        result += "?" + _encode(query, _QUERY)
    if hash_:
        result += "#" + _encode(fragment, _FRAGMENT)
    if len(result) > rules.max_length:
        raise _invalid(
            f"the address takes {len(result)} characters when written out; at most {rules.max_length} are taken"
        )
    return result


def _split_scheme(text: str) -> tuple[str, str]:
    match = _SCHEME.match(text)
    if match is None:
        raise _invalid(f"an address must begin with http:// or https://, unlike {text[:_SHOWN]!r}")
    scheme = match[1].lower()
    if scheme not in _DEFAULT_PORTS:
        raise _invalid(f"only http and https addresses are taken, not {scheme!r}")
    return scheme, text[match.end() :]


def _authority(authority: str, scheme: str, rules: UrlRules) -> str:
    credentials, at, location = authority.rpartition("@")
    if at and not rules.allow_credentials:
        raise _invalid("the address holds a user name or password, which everybody with the short link would see")
    host, port = _split_port(location)
    if not host:
        raise _invalid("the address has no host")
    try:
        name = normalise_host(host)
    except HostError as error:
        raise _invalid(str(error)) from error
    number = _port(port)
    shown = name if number is None or number == _DEFAULT_PORTS[scheme] else f"{name}:{number}"
    own = f"{name}:{number if number is not None else _DEFAULT_PORTS[scheme]}"
    if name in rules.own_hosts or own in rules.own_hosts:
        raise _invalid(f"{shown!r} is this service itself: the link would lead in a circle")
    return (_credentials(credentials) if at else "") + shown


def _split_port(location: str) -> tuple[str, str]:
    if location.startswith("["):
        host, bracket, port = location.partition("]")
        if port and not port.startswith(":"):
            raise _invalid(f"host {location[:_SHOWN]!r} goes on after its bracket")
        return host + bracket, port[1:]
    host, _, port = location.partition(":")
    return host, port


def _port(port: str) -> int | None:
    if not port:
        return None
    if not (port.isascii() and port.isdigit()) or int(port[:8]) > 65_535 or len(port) > 8:
        raise _invalid(f"{port[:_SHOWN]!r} is not a port; ports are numbers up to 65535")
    return int(port)


def _credentials(raw: str) -> str:
    user, colon, password = raw.partition(":")
    secret = ":" + _encode(password, _USERINFO) if colon and password else ""
    shown = _encode(user, _USERINFO) + secret
    return f"{shown}@" if shown else ""


def _path(path: str) -> str:
    """The path without its first slash: dots resolved, and encoded."""
    kept: list[str] = []
    segments = path.split("/")
    for place, segment in enumerate(segments):
        last = place == len(segments) - 1
        dots = segment.lower()
        if dots in _TWO_DOTS:
            if kept:
                kept.pop()
            if last:
                kept.append("")
        elif dots in _ONE_DOT:
            if last:
                kept.append("")
        else:
            kept.append(_encode(segment, _PATH))
    return "/".join(kept)


def _encode(text: str, unsafe: frozenset[int]) -> str:
    """Percent-encode what a browser would; what is already encoded stays as it is, also where it is wrong."""
    return "".join(chr(b) if 0x20 < b < 0x7F and b not in unsafe else f"%{b:02X}" for b in text.encode("utf-8"))


def _invalid(reason: str) -> InvalidLink:
    return InvalidLink("url", reason)
