"""Host names and addresses as a browser reads them (the host parser of the URL Standard), stricter where DNS is.

Names of any script become punycode by UTS 46, non-transitional; numbers become the IPv4 address a browser would
go to, so that `http://0x7f.1/` can't pass for something else than 127.0.0.1. Pure.
https://url.spec.whatwg.org/#host-parsing
"""

import ipaddress
import re
from typing import Final
from urllib.parse import unquote_to_bytes

import idna

__all__ = ["HostError", "normalise_host"]

# A browser would go on with !$&'()*+,;=~ and then find nothing: no such name can be registered. What has one of these
# in its host is a template, or took along the bracket or comma that followed it in a text.
_FORBIDDEN: Final = re.compile(r"[^0-9a-z\-._]")
_NUMBER: Final = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
MAX_LABEL: Final = 63  # RFC 1035 section 2.3.4
MAX_NAME: Final = 253


class HostError(ValueError):
    """Not a host; the text says why, for a person."""


def normalise_host(raw: str) -> str:
    """The host in ASCII: a lower-case name, a dotted IPv4 address or a bracketed IPv6 address. HostError otherwise."""
    if raw.startswith("["):
        return _ipv6(raw)
    host = _decode(raw)
    name = host.lower() if host.isascii() else _to_ascii(host)
    bad = _FORBIDDEN.search(name)
    if bad is not None:
        raise HostError(f"{bad[0]!r} can't be in a host name: {raw!r}")
    labels = name.removesuffix(".").split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _ipv4(raw, labels)
    if "" in labels:
        raise HostError(f"host {raw!r} has an empty part between its dots")
    for label in labels:
        _check_label(raw, label)
    if len(name.removesuffix(".")) > MAX_NAME:
        raise HostError(f"the host name is over {MAX_NAME} characters, more than DNS can hold")
    return name


def _decode(raw: str) -> str:
    if "%" not in raw:
        return raw
    try:
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise HostError(f"host {raw!r} has percent-encoded bytes that are not text") from None


def _to_ascii(host: str) -> str:
    try:
        mapped = idna.uts46_remap(host, std3_rules=False, transitional=False)
    except idna.IDNAError as error:
        raise HostError(f"host {host!r} can't be a domain name: {str(error).lower()}") from error
    return ".".join(label if label.isascii() else _a_label(host, label) for label in mapped.split("."))


def _a_label(host: str, label: str) -> str:
    if label.startswith("xn--"):
        raise HostError(f"{label!r} in host {host!r} is not valid punycode")
    try:
        _check_characters(label)
    except idna.IDNAError as error:
        raise HostError(f"host {host!r} can't be a domain name: {str(error).lower()}") from error
    return "xn--" + label.encode("punycode").decode("ascii")


def _check_characters(label: str) -> None:
    """What UTS 46 asks of a label's characters beyond its mapping."""
    idna.check_initial_combiner(label)
    idna.check_bidi(label)
    for position, character in enumerate(label):
        if character in "\u200c\u200d" and not _joins(label, position):
            raise idna.IDNAError("a joiner stands where it joins nothing")


def _joins(label: str, position: int) -> bool:
    try:
        return idna.valid_contextj(label, position)
    except ValueError:  # idna asks for the name of what stands before it, and a control has none
        return False


def _check_label(raw: str, label: str) -> None:
    if len(label) > MAX_LABEL:
        raise HostError(f"a part of host {raw!r} is over {MAX_LABEL} characters, more than DNS can hold")
    if label.startswith("xn--"):
        try:
            decoded = label[4:].encode("ascii").decode("punycode")
            if not decoded or decoded.isascii() or idna.uts46_remap(decoded, False, False) != decoded:
                raise ValueError("not in its normal form")
            _check_characters(decoded)
        except (ValueError, idna.IDNAError):
            raise HostError(f"{label!r} in host {raw!r} is not valid punycode") from None


def _ipv6(raw: str) -> str:
    if not raw.endswith("]"):
        raise HostError(f"host {raw!r} has no closing bracket")
    try:
        number = int(ipaddress.IPv6Address(raw[1:-1].partition("%")[0] if "%" not in raw else "invalid"))
    except ValueError:
        raise HostError(f"host {raw!r} is not an IPv6 address") from None
    groups = [f"{number >> shift & 0xFFFF:x}" for shift in range(112, -1, -16)]
    runs = [(len(run[0].split()), run.start()) for run in re.finditer(r"(?<!\S)(?:0(?: |$)){2,}", " ".join(groups))]
    if not runs:
        return f"[{':'.join(groups)}]"
    length = max(runs)[0]
    first = next(start for count, start in runs if count == length)
    index = " ".join(groups)[:first].count(" ")
    return f"[{':'.join(groups[:index])}::{':'.join(groups[index + length :])}]"


def _ipv4(raw: str, labels: list[str]) -> str:
    """Up to four numbers, decimal, octal or hexadecimal; the last fills the bytes that are left."""
    try:
        if len(labels) > 4:
            raise ValueError("too many numbers")
        numbers = [_number(label) for label in labels]
        if any(number > 255 for number in numbers[:-1]) or numbers[-1] >= 256 ** (5 - len(numbers)):
            raise ValueError("a number is too large")
    except ValueError:
        raise HostError(f"host {raw!r} ends in a number but is not an IPv4 address") from None
    value = numbers[-1] + sum(number << 8 * (3 - place) for place, number in enumerate(numbers[:-1]))
    return str(ipaddress.IPv4Address(value))


def _number(label: str) -> int:
    if label[:2] in ("0x", "0X"):
        return int(label[2:] or "0", 16)
    if len(label) > 1 and label.startswith("0"):
        return int(label[1:], 8)
    if not label.isdigit():
        raise ValueError("not a number")
    return int(label)
