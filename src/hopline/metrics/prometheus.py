"""Figures in the text format that Prometheus reads; prometheus-client, an extra, writes it."""

from typing import TYPE_CHECKING, Final

from hopline._histogram import BOUNDS_NS, Distribution
from hopline.metrics.snapshot import Sample, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

__all__ = ["CONTENT_TYPE", "render"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class _Families:
    """A collector over one snapshot, in the shape that prometheus-client asks for."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> "Iterator[Metric]":
        from prometheus_client.metrics_core import Metric

        families: dict[str, Metric] = {}
        for sample in self._snapshot:
            # The format wants all lines of a name together; a counter's family goes without its _total.
            name = sample.name.removesuffix("_total") if sample.kind == "counter" else sample.name
            family = families.get(name)
            if family is None:
                family = families[name] = Metric(name, sample.help, sample.kind)
            elif family.type != sample.kind:
                raise ValueError(f"{sample.name!r} is a {family.type} and a {sample.kind}; give each its own name")
            _add(family, sample)
        yield from families.values()


def _add(family: "Metric", sample: Sample) -> None:
    labels = dict(sample.labels)
    value = sample.value
    if not isinstance(value, Distribution):
        family.add_sample(f"{family.name}_total" if sample.kind == "counter" else family.name, labels, value)
        return
    for bound, below in zip(BOUNDS_NS, value.counts_below(), strict=True):
        family.add_sample(f"{family.name}_bucket", {**labels, "le": repr(bound / 1e9)}, below)
    family.add_sample(f"{family.name}_bucket", {**labels, "le": "+Inf"}, value.count)
    family.add_sample(f"{family.name}_count", labels, value.count)
    family.add_sample(f"{family.name}_sum", labels, value.total_seconds)


def render(snapshot: Snapshot) -> bytes:
    """`snapshot` as Prometheus text 0.0.4; counters end in _total, histograms are in seconds.

    ValueError where a name stands for two kinds of figure.
    """
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(snapshot))
    return generate_latest(registry)
