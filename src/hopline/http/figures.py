"""What a worker counts beside plain totals: by route, by connection, and how late its loop is.

Made to stay on. A request to a route costs two readings of the clock, a look-up and a histogram's record; one that a
raw route answers costs its one count, and bytes are counted once a read and once a write. Everything about
connections is read off them when somebody asks.

Labels can't grow with what clients send: a route's label is its pattern, all requests that reached no route have
one label, and methods nobody registered are one.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Final, Protocol

from hopline._histogram import Distribution, Histogram
from hopline.http.phase import Phase
from hopline.metrics import Labels, Sample, Snapshot, from_stats

if TYPE_CHECKING:
    from hopline.http.batch import BatchStats
    from hopline.http.message import Request

__all__ = ["UNROUTED", "ConnectionStats", "Figures", "RouteStats", "connection_stats", "samples_of"]

UNROUTED: Final = "unrouted"  # the label of what no route answered: unknown paths, and what middleware answers itself
OTHER: Final = "other"
METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
MAX_SERIES: Final = 2000  # histograms of 5 KB each; past it everything new is "other"
AGES: Final = (1, 10, 60, 600, 3600)  # seconds


@dataclass(frozen=True, slots=True)
class RouteStats:
    """Answers of one route to one method, of one class of statuses ("2xx"); additive over workers.

    Durations are from the call of the outermost middleware to the answer, or to the head of a streamed one.
    """

    route: str
    method: str
    status: str
    duration: Distribution = field(metadata={"help": "How long routes took to answer, and how often they did"})

    @property
    def labels(self) -> Labels:
        """As they stand in the metrics."""
        return (("route", self.route), ("method", self.method), ("status", self.status))


@dataclass(frozen=True, slots=True)
class ConnectionStats:
    """Open connections in one phase and of one age: "1" is up to a second, "+Inf" over the last bound."""

    phase: str
    age: str
    connections: int = field(metadata={"kind": "gauge", "help": "Connections open now, by what they wait for and age"})

    @property
    def labels(self) -> Labels:
        """As they stand in the metrics."""
        return (("phase", self.phase), ("age", self.age))


class Figures:
    """One worker's counts. Written on its loop's thread; read from any."""

    def __init__(self) -> None:
        self.bytes_in = 0
        self.bytes_out = 0
        self.used_connections = 0  # of those that are gone
        self.loop_lag = Histogram()
        self._routes: dict[tuple[str, str, int], Histogram] = {}

    def answered(self, request: "Request", status: int) -> None:
        """A request that was begun at `request.began` has its answer."""
        now = perf_counter()
        key = (request.route, request.method, status // 100)
        durations = self._routes.get(key)
        if durations is None:
            durations = self._durations(*key)
        durations.record(now - request.began)

    def _durations(self, route: str, method: str, status: int) -> Histogram:
        """The histogram for what has none of its own yet, or can't have one."""
        key = (route, method, status)
        if not route and method not in METHODS:
            key = (route, OTHER, status)
        if key not in self._routes and len(self._routes) >= MAX_SERIES:
            key = (OTHER, OTHER, status)
        return self._routes.setdefault(key, Histogram())

    def route_stats(self) -> list[RouteStats]:
        """Figures by route, method and class of status, in the order first met."""
        return [
            RouteStats(route or UNROUTED, method, f"{status}xx", durations.snapshot())
            for (route, method, status), durations in list(self._routes.items())
        ]


class Watched(Protocol):
    """What the figures read off a connection."""

    opened_at: float
    phase: Phase


def connection_stats(connections: Iterable[Watched], now: float) -> list[ConnectionStats]:
    """How many connections are in which phase, and how old."""
    counts = Counter((wire.phase, bisect_left(AGES, now - wire.opened_at)) for wire in connections)
    names = [*map(str, AGES), "+Inf"]
    return [ConnectionStats(phase.name.lower(), names[age], count) for (phase, age), count in sorted(counts.items())]


def samples_of(
    prefix: str,
    routes: Iterable[RouteStats],
    connections: Iterable[ConnectionStats],
    batches: Iterable["BatchStats"],
    rules: Iterable[tuple[str, int]],
) -> Snapshot:
    """The labelled figures as samples, under `prefix`."""
    samples: Snapshot = []
    for route in routes:
        samples += from_stats(f"{prefix}_route", route, route.labels)
    for open_now in connections:
        samples += from_stats(f"{prefix}_open", open_now, open_now.labels)
    sizes = "Batches by size: of at most so many requests, and more than half as many"
    for batch in batches:
        labels = (("route", batch.route),)
        samples += from_stats(f"{prefix}_batch", batch, labels)
        for size, count in batch.sizes:
            of_size = (*labels, ("size", str(size)))
            samples.append(Sample(f"{prefix}_batch_sizes", "counter", sizes, float(count), of_size))
    text = "Requests refused for breaking the protocol, by rule"
    samples += [Sample(f"{prefix}_broken_rules", "counter", text, float(n), (("rule", rule),)) for rule, n in rules]
    return samples
