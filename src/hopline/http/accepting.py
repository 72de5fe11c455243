"""From a listening socket to Wires: what may stand between, TLS or a PROXY header."""

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hopline.http.errors import ProtocolError
from hopline.http.proxies import ProxyProtocol
from hopline.http.sockets import BACKLOG
from hopline.http.tls import Certificates
from hopline.http.trust import TrustedProxies

if TYPE_CHECKING:
    from hopline.http.wire import Wire

__all__ = ["accept_on"]


async def accept_on(
    listener: socket.socket,
    make_wire: "Callable[[], Wire]",
    *,
    certificates: Certificates | None = None,
    proxies: TrustedProxies | None = None,
    count_broken: Callable[[ProtocolError], None],
) -> asyncio.Server:
    """Serve what connects to `listener` on the running loop."""
    loop = asyncio.get_running_loop()
    factory: Callable[[], asyncio.Protocol] = make_wire
    if proxies is not None:
        trusted = proxies
        factory = lambda: ProxyProtocol(make_wire, loop, trusted, count_broken)  # noqa: E731 - a def can't be conditional
    context = None if certificates is None else certificates.context
    timeout = None if certificates is None else certificates.tls.handshake_timeout
    if listener.family != socket.AF_UNIX or isinstance(loop, asyncio.SelectorEventLoop):
        # asyncio's own loop serves a Unix socket here, too, and unlike create_unix_server leaves its file alone.
        return await loop.create_server(
            factory, sock=listener, backlog=BACKLOG, ssl=context, ssl_handshake_timeout=timeout
        )
    # The file is the supervisor's to remove. Known to uvloop on all versions, to typeshed from Python 3.13 on.
    leave_file: dict[str, Any] = {"cleanup_socket": False}
    return await loop.create_unix_server(
        factory, sock=listener, backlog=BACKLOG, ssl=context, ssl_handshake_timeout=timeout, **leave_file
    )
