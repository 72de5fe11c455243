"""How often one address may try to sign in in vain: a few times a minute, then it has to wait.

A fixed window an address, in the memory of one process (N worker processes allow N times as much). A key can't
be guessed at any rate; this keeps the log and the database from those who try. Whoever shares an address, as all
visitors behind one proxy do, shares its attempts.
"""

import ipaddress
from typing import Final

from hopline.clock import Clock

__all__ = ["Attempts"]

MOST_ADDRESSES: Final = 1024  # beyond, the oldest is forgotten: a bound on memory, not on the patient


class Attempts:
    """Failures by address, at most `limit` in `window` seconds. Not thread-safe: it belongs to one event loop."""

    def __init__(self, clock: Clock, limit: int = 10, window: float = 60.0) -> None:
        self._clock = clock
        self._limit = limit
        self._window = window
        self._failures: dict[str, tuple[float, int]] = {}  # address: end of its window, failures in it

    def wait(self, address: str) -> float:
        """Seconds until `address` may try again; 0.0 for now."""
        end, count = self._failures.get(_network(address), (0.0, 0))
        return max(0.0, end - self._clock.monotonic()) if count >= self._limit else 0.0

    def failed(self, address: str) -> None:
        """Count a failure of `address`."""
        network, now = _network(address), self._clock.monotonic()
        end, count = self._failures.get(network, (now + self._window, 0))
        if end <= now:
            end, count = now + self._window, 0
            del self._failures[network]  # so that it stands at the end, among the young
        elif network not in self._failures and len(self._failures) >= MOST_ADDRESSES:
            del self._failures[next(iter(self._failures))]
        self._failures[network] = (end, count + 1)


def _network(address: str) -> str:
    """An IPv4 address itself, of an IPv6 address its /64, which is what one customer has."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if parsed.version == 4:
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False).network_address)
