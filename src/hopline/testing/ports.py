"""A TCP port nobody uses, for a server that can't be asked which one it took."""

import socket

__all__ = ["free_port"]


def free_port(host: str = "127.0.0.1") -> int:
    """A port on `host` that is free now.

    Another process may take it before the server does; where the server can listen on port 0 and say which one
    it got, do that instead.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
