"""Listening sockets, one accept queue a worker where the kernel spreads connections over them.

A connection is complete, and the client may send, before any process accepts it: the kernel keeps it in the
listening socket's accept queue. When the last descriptor of that socket closes, what waits in the queue is
reset. So the sockets are made here once, by the process that outlives all workers, and workers inherit them.

On Linux each worker slot has a socket of its own on the same address (SO_REUSEPORT): the kernel picks one by a
hash of the connection's addresses, so workers neither wake each other nor starve. macOS has the option without
the spreading; there all slots share one socket. https://man7.org/linux/man-pages/man7/socket.7.html

SO_REUSEPORT has a price: a second server of the same user would join the port in silence and take half of the
connections. The first socket is therefore bound and listening without the option, which fails where anybody
else listens, and is opened to the others only then.
"""

import errno
import os
import socket
import sys
from contextlib import ExitStack
from typing import Any, Final, Self

from hopline.http.errors import HTTPServerError

__all__ = ["BACKLOG", "ListenError", "Listeners"]

BACKLOG: Final = 4096  # connections that may wait in one accept queue; the kernel caps it at net.core.somaxconn
PORT_TRIES: Final = 10  # how often port 0 is drawn where a host has several addresses and all need the same port
SPREADS: Final = sys.platform == "linux"  # whether SO_REUSEPORT spreads connections over sockets

Address = tuple[socket.AddressFamily, tuple[Any, ...]]  # the kernel's: (host, port), for IPv6 with two more


class ListenError(HTTPServerError):
    """Nobody can listen on `host` and `port`, None where it has none; the message says why and what to do."""

    def __init__(self, host: str, port: int | None, reason: str) -> None:
        where = repr(host) if port is None else f"{host!r} port {port}"
        super().__init__(f"can't listen on {where}: {reason}")
        self.host = host
        self.port = port


class Listeners:
    """The listening sockets of `slots` worker slots on `host` and `port`; a `with` opens and closes them.

    `host` is a name, an IPv4 or an IPv6 address; a name is listened to on all its addresses ("localhost" is
    usually two), and "::" takes IPv4 connections, too. Port 0 draws a free port, the same for all.
    Once open, `port` is the real one and `of_slot` holds each slot's sockets, which are non-blocking.
    """

    def __init__(self, host: str, port: int, slots: int) -> None:
        self.host = host.removeprefix("[").removesuffix("]")
        self.port = port
        self.of_slot: list[list[socket.socket]] = []
        self._slots = slots

    @property
    def url(self) -> str:
        """Where a client on this machine finds the server, without a slash at the end."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - a key
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def open(self) -> None:
        """Bind and listen on everything; ListenError, and nothing open, where that can't be."""
        addresses = _resolve(self.host, self.port)
        tries = PORT_TRIES if self.port == 0 and len(addresses) > 1 else 1
        for tries_left in reversed(range(tries)):
            try:
                port, self.of_slot = _open_all(addresses, self.port, self._slots)
            except OSError as error:
                if error.errno != errno.EADDRINUSE or not tries_left:
                    raise ListenError(self.host, self.port, _explain(error, self.port)) from error
            else:
                self.port = port
                return

    def close(self) -> None:
        """Close this process's copies; a queue is closed when the last process has closed its. Idempotent."""
        for sockets in self.of_slot:
            for listener in sockets:
                listener.close()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _resolve(host: str, port: int) -> list[Address]:
    if not host:
        raise ListenError(host, port, "the host is empty; give an address, 0.0.0.0 for all of IPv4 or :: for all")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        # UnicodeError: what the codec for international names says of an empty or overlong label.
        reason = f"{error.strerror or error}" if isinstance(error, OSError) else str(error)
        raise ListenError(
            host, port, f"the host is not known here ({reason.lower()}); give an address of this machine"
        ) from error
    # IPv4 first, so that a drawn port is drawn where most clients come.
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    return list(dict.fromkeys((entry[0], entry[4]) for entry in found))


def _open_all(addresses: list[Address], port: int, slots: int) -> tuple[int, list[list[socket.socket]]]:
    of_slot: list[list[socket.socket]] = [[] for _ in range(slots)]
    missing: OSError | None = None
    with ExitStack() as on_failure:
        for family, address in addresses:
            try:
                group = _open_group(family, (address[0], port, *address[2:]), slots, on_failure)
            except OSError as error:
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
                missing = error  # "localhost" is also ::1 where the machine has no IPv6 at all
                continue
            port = group[0].getsockname()[1]
            for sockets, listener in zip(of_slot, group, strict=True):
                sockets.append(listener)
        if missing is not None and not of_slot[0]:
            raise missing
        on_failure.pop_all()
    return port, of_slot


def _open_group(
    family: socket.AddressFamily, address: tuple[Any, ...], slots: int, on_failure: ExitStack
) -> list[socket.socket]:
    """One socket a slot on one address, or one shared by all."""
    first = on_failure.enter_context(_open_one(family, address, joins=False))
    if slots == 1 or not SPREADS:
        return [first] * slots
    first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    taken = first.getsockname()
    return [first, *(on_failure.enter_context(_open_one(family, taken, joins=True)) for _ in range(slots - 1))]


def _open_one(family: socket.AddressFamily, address: tuple[Any, ...], *, joins: bool) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)  # close-on-exec, as all descriptors Python makes
    try:
        # A restarted server must not wait for TIME_WAIT; two servers still can't listen on one address.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if joins:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address[0] != "::"))
        listener.setblocking(False)
        listener.bind(address)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _explain(error: OSError, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        who = f"ss -ltnp 'sport = :{port}'" if sys.platform == "linux" else f"lsof -nP -iTCP:{port} -sTCP:LISTEN"
        return f"the port is in use; see by whom with `{who}`, or take another with --port"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "ports below 1024 are for root; take another with --port and put a proxy in front"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine does not have that address; use one that it has, 0.0.0.0 for all of IPv4 or :: for all"
    return f"{os.strerror(error.errno or 0).lower()}"
