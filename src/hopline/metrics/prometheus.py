"""Figures in the text format that Prometheus reads; prometheus-client, an extra, writes it."""

from typing import TYPE_CHECKING, Final

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
        from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

        families: dict[str, list[Sample]] = {}
        for sample in self._snapshot:
            families.setdefault(sample.name, []).append(sample)
        for name, samples in families.items():
            first = samples[0]
            labels = [label for label, _ in first.labels]
            family = CounterMetricFamily if first.kind == "counter" else GaugeMetricFamily
            metric = family(name, first.help, labels=labels)
            for sample in samples:
                metric.add_metric([value for _, value in sample.labels], sample.value)
            yield metric


def render(snapshot: Snapshot) -> bytes:
    """`snapshot` as Prometheus text 0.0.4; counters end in _total."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(snapshot))
    return generate_latest(registry)
