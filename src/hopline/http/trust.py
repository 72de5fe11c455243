"""Whose word about other people's addresses is taken: proxies, by network.

Anybody can send `X-Forwarded-For`, or the first line of the PROXY protocol; it says something only if the machine
at the other end of the connection is one of ours.
"""

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

__all__ = ["TrustedProxies"]


class TrustedProxies:
    """A set of networks, given as "10.0.0.0/8" or "::1"; "unix" stands for whoever may connect to a Unix socket.

    Immutable. ValueError for what is no network.
    """

    def __init__(self, *networks: str) -> None:
        self.unix = "unix" in networks
        self._networks: tuple[IPv4Network | IPv6Network, ...] = tuple(
            ip_network(network) for network in networks if network != "unix"
        )

    def __contains__(self, address: str | None) -> bool:
        """Whether `address` is a proxy of ours; None is the peer of a Unix socket."""
        if address is None:
            return self.unix
        try:
            found = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped  # how a socket on "::" shows clients of IPv4
        return any(found in network for network in self._networks)

    def __repr__(self) -> str:
        names = [str(network) for network in self._networks] + ["unix"] * self.unix
        return f"TrustedProxies({', '.join(map(repr, names))})"
