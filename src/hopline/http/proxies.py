"""The PROXY protocol: who a balancer in front speaks for, said in the first bytes of a connection.

Versions 1 (a line of text) and 2 (binary) of https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt. A
connection from a trusted proxy must begin with such a header, as the specification forbids guessing; one from
anybody else is served as it is, so that nobody can lie about an address. What is malformed ends the connection.
"""

import asyncio
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any, Final

from hopline.http.errors import ProtocolError
from hopline.http.trust import TrustedProxies

if TYPE_CHECKING:
    from hopline.http.wire import Wire

__all__ = ["ProxyProtocol", "read_proxy_header"]

SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"  # of version 2
LONGEST_LINE: Final = 107  # bytes of version 1's line, its end included, as the specification says
LONGEST_BINARY: Final = 2048  # bytes after the first 16: addresses, and what a balancer adds about TLS and such
HEADER_TIMEOUT: Final = 5.0  # seconds for the header, then the connection is closed

Peer = tuple[str, int]


def read_proxy_header(data: bytes) -> tuple[int, Peer | None] | None:
    """How long the header is at the start of `data`, and the client it names; None while more bytes are needed.

    The client is None where the proxy speaks for itself, or of a family without IP addresses. ProtocolError for
    what is no header, as early as can be.
    """
    if data.startswith(SIGNATURE[: len(data)]):
        return _read_binary(data)
    if data.startswith(b"PROXY "[: len(data)]):
        return _read_line(data)
    raise _broken("the connection does not begin with a PROXY header")


def _read_line(data: bytes) -> tuple[int, Peer | None] | None:
    end = data.find(b"\r\n", 0, LONGEST_LINE)
    if end < 0:
        if len(data) >= LONGEST_LINE:
            raise _broken(f"the line is over {LONGEST_LINE} bytes")
        return None
    words = data[:end].split(b" ")
    if words[1] == b"UNKNOWN":
        return end + 2, None
    kinds: dict[bytes, type[IPv4Address | IPv6Address]] = {b"TCP4": IPv4Address, b"TCP6": IPv6Address}
    kind = kinds.get(words[1])
    if kind is None or len(words) != 6:
        raise _broken(f"{data[:end]!r} is not PROXY, TCP4 or TCP6, two addresses and two ports")
    try:
        source = str(kind(words[2].decode("ascii")))
        kind(words[3].decode("ascii"))
    except ValueError as error:  # UnicodeDecodeError is one
        raise _broken(f"{data[:end]!r} has a wrong address") from error
    _port(words[5])
    return end + 2, (source, _port(words[4]))


def _port(word: bytes) -> int:
    if not word.isdigit() or len(word) > 5 or (word[0] == 48 and word != b"0") or int(word) > 65_535:
        raise _broken(f"{word!r} is not a port")
    return int(word)


def _read_binary(data: bytes) -> tuple[int, Peer | None] | None:
    if len(data) < 16:
        return None
    version, command, family, transport = data[12] >> 4, data[12] & 15, data[13] >> 4, data[13] & 15
    size = int.from_bytes(data[14:16], "big")
    if version != 2 or command > 1:
        raise _broken(f"version {version} with command {command} is not known")
    if family > 3 or transport > 2:
        raise _broken(f"address family {family} with transport {transport} is not known")
    if size > LONGEST_BINARY:
        raise _broken(f"the header has {size} bytes; at most {LONGEST_BINARY} are read")
    if command == 1 and transport == 2:
        raise _broken("a datagram's addresses on a connection")
    needed = {1: 12, 2: 36, 3: 216}.get(family, 0) if command == 1 else 0
    if size < needed:
        raise _broken(f"the header has {size} bytes where the addresses alone have {needed}")
    if len(data) < 16 + size:
        return None
    if command == 0 or family not in (1, 2):
        return 16 + size, None
    width = 4 if family == 1 else 16
    address = data[16 : 16 + width]
    source = str(IPv4Address(address) if family == 1 else IPv6Address(address))
    port = int.from_bytes(data[16 + 2 * width : 18 + 2 * width], "big")
    return 16 + size, (source, port)


def _broken(detail: str) -> ProtocolError:
    return ProtocolError(400, "proxy-header", detail)


class ProxyProtocol(asyncio.Protocol):
    """Stands in front of a Wire until the header is read, then leaves its place to it. Lives on its loop's thread."""

    def __init__(
        self,
        make_wire: "Callable[[], Wire]",
        loop: asyncio.AbstractEventLoop,
        proxies: TrustedProxies,
        count_broken: Callable[[ProtocolError], None],
    ) -> None:
        self._make_wire = make_wire
        self._loop = loop
        self._proxies = proxies
        self._count_broken = count_broken
        self._data = b""  # bounded by read_proxy_header
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        peer = transport.get_extra_info("peername")
        if (peer[0] if isinstance(peer, tuple) else None) in self._proxies:
            self._timer = self._loop.call_later(HEADER_TIMEOUT, self._refuse, _broken("no header came in time"))
        else:
            self._hand_over(None, b"")

    def data_received(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        self._data += data
        try:
            found = read_proxy_header(self._data)
        except ProtocolError as error:
            self._refuse(error)
            return
        if found is not None:
            size, peer = found
            self._hand_over(peer, self._data[size:])

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_timer()

    def _refuse(self, error: ProtocolError) -> None:
        """Close without an answer: who speaks for others reads no HTTP at this point."""
        self._count_broken(error)
        self._transport.close()

    def _hand_over(self, peer: Peer | None, rest: bytes) -> None:
        self._cancel_timer()
        wire = self._make_wire()
        self._transport.set_protocol(wire)
        wire.connection_made(self._transport, peer)
        if rest and not self._transport.is_closing():
            wire.data_received(rest)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
