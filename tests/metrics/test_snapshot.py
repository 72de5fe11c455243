"""Figures add up, travel as JSON and read as Prometheus text."""

import math
import subprocess
import sys
from dataclasses import dataclass, field

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hopline._histogram import Distribution, Histogram
from hopline.metrics import Sample, decode, encode, from_stats, merge, render


@dataclass(frozen=True)
class Stats:
    done: int = field(metadata={"help": "Things done"})
    waiting: int = field(metadata={"kind": "gauge"})
    ready: bool
    name: str = "left out"


NONSENSE = (
    b"",
    b"{}x",
    b"[1]",
    b'{"a": 1}',
    b'[["a","gauge","",1]]',
    b'[["a","guess","",1,[]]]',
    b'[["a","gauge","",[1],[]]]',
    b'[["a","histogram","",1,[]]]',
    b'[["a","histogram","",[[[1,1]],Infinity],[]]]',
)


def durations(*seconds: float) -> Distribution:
    histogram = Histogram()
    for each in seconds:
        histogram.record(each)
    return histogram.snapshot()


def test_stats_become_samples_with_kind_and_help() -> None:
    assert from_stats("app", Stats(3, 2, True), (("role", "a"),)) == [
        Sample("app_done", "counter", "Things done", 3.0, (("role", "a"),)),
        Sample("app_waiting", "gauge", "Waiting", 2.0, (("role", "a"),)),
        Sample("app_ready", "gauge", "Ready", 1.0, (("role", "a"),)),
    ]


def test_merging_adds_by_name_and_labels() -> None:
    one = [Sample("a", "counter", "", 1.0), Sample("a", "counter", "", 5.0, (("x", "1"),))]
    two = [Sample("a", "counter", "", 2.0)]

    assert [(s.value, s.labels) for s in merge([one, two])] == [(3.0, ()), (5.0, (("x", "1"),))]


def test_the_wire_form_comes_back_whole_and_nonsense_is_refused() -> None:
    samples = [
        Sample("a", "gauge", 'say "hi"\n', 1.5, (("x", "\u00e9"),)),
        Sample("b", "counter", "", math.inf),
        Sample("c", "histogram", "", durations(0.001, 2.0), (("y", ""),)),
    ]

    assert decode(encode(samples)) == samples
    for nonsense in NONSENSE:
        with pytest.raises(ValueError, match="not a snapshot"):
            decode(nonsense)


def test_the_text_is_what_prometheus_reads() -> None:
    samples = [
        Sample("hopline_done", "counter", "Done\nso far", 3.0, (("rule", 'a"b\\c\n'),)),
        Sample("hopline_now", "gauge", "Now", 0.5),
    ]

    families = {family.name: family for family in text_string_to_metric_families(render(samples).decode())}

    assert families["hopline_done"].samples[0].value == 3.0
    assert families["hopline_done"].samples[0].labels == {"rule": 'a"b\\c\n'}
    assert families["hopline_now"].samples[0].value == 0.5
    assert families["hopline_now"].type == "gauge"


def test_a_distribution_among_the_stats_is_a_histogram() -> None:
    @dataclass(frozen=True)
    class Timed:
        request_seconds: Distribution = field(metadata={"help": "How long requests took"})

    (sample,) = from_stats("app", Timed(durations(1.0)))

    assert sample == Sample("app_request_seconds", "histogram", "How long requests took", durations(1.0))


def test_histograms_are_merged_bucket_by_bucket() -> None:
    one = [Sample("t", "histogram", "", durations(0.001, 0.5))]
    two = [Sample("t", "histogram", "", durations(0.001))]

    assert merge([one, two]) == [Sample("t", "histogram", "", durations(0.001, 0.5, 0.001))]


def test_one_name_for_two_kinds_is_refused() -> None:
    counter, gauge = Sample("a", "counter", "", 1.0), Sample("a", "gauge", "", 1.0)
    odd = Sample("a", "counter", "", durations(1.0))

    for clash in (gauge, odd):
        with pytest.raises(ValueError, match="'a'"):
            merge([[counter], [clash]])
    with pytest.raises(ValueError, match="'a' is a counter and a gauge"):
        render([counter, gauge])


def test_one_name_may_have_different_labels_and_stands_together() -> None:
    text = render(
        [
            Sample("a", "counter", "", 1.0, (("x", "1"),)),
            Sample("b", "gauge", "", 2.0),
            Sample("a", "counter", "", 3.0, (("y", "2"), ("z", "3"))),
            Sample("c_total", "counter", "", 4.0),
        ]
    ).decode()

    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert [(s.name, s.labels, s.value) for s in families["a"].samples] == [
        ("a_total", {"x": "1"}, 1.0),
        ("a_total", {"y": "2", "z": "3"}, 3.0),
    ]
    assert [(s.name, s.value) for s in families["c"].samples] == [("c_total", 4.0)]
    assert text.count("# TYPE") == 3


def test_a_histogram_is_cumulative_and_ends_with_everything() -> None:
    sample = Sample("t_seconds", "histogram", "", durations(0.00001, 0.001, 0.001, 100.0), (("x", "1"),))

    (family,) = text_string_to_metric_families(render([sample]).decode())

    assert family.type == "histogram"
    buckets = {float(s.labels["le"]): s.value for s in family.samples if s.name == "t_seconds_bucket"}
    assert list(buckets) == sorted(buckets)
    assert list(buckets.values()) == sorted(buckets.values())
    assert (buckets[2**14 / 1e9], buckets[2**20 / 1e9], buckets[2**34 / 1e9], buckets[math.inf]) == (1, 3, 3, 4)
    rest = {s.name: s.value for s in family.samples if s.name != "t_seconds_bucket"}
    assert rest == {"t_seconds_count": 4.0, "t_seconds_sum": pytest.approx(100.00201)}
    assert all(s.labels["x"] == "1" for s in family.samples)


def test_a_name_that_the_format_has_no_place_for_is_written_in_one_it_has() -> None:
    (family,) = text_string_to_metric_families(render([Sample("no name", "gauge", "", 1.0)]).decode())

    assert family.name == "no_name"


def test_importing_metrics_does_not_need_prometheus_client() -> None:
    code = "import sys; sys.modules['prometheus_client'] = None; import hopline.metrics"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
