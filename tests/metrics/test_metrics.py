"""Figures add up over processes and read as Prometheus text."""

import os
import signal
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hopline.metrics import (
    MetricsError,
    Sample,
    SnapshotServer,
    collect,
    decode,
    encode,
    from_stats,
    merge,
    render,
)


@dataclass(frozen=True)
class Stats:
    done: int = field(metadata={"help": "Things done"})
    waiting: int = field(metadata={"kind": "gauge"})
    ready: bool
    name: str = "left out"


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
    samples = [Sample("a", "gauge", 'say "hi"\n', 1.5, (("x", "\u00e9"),))]

    assert decode(encode(samples)) == samples
    for nonsense in (b"", b"{}x", b"[1]", b'[["a","gauge","",1]]'):
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


def figures(samples: list[Sample]) -> dict[str, float]:
    return {sample.name: sample.value for sample in samples}


def test_processes_are_asked_and_added_up(tmp_path: Path) -> None:
    with (
        SnapshotServer(tmp_path, "a", lambda: [Sample("n", "counter", "", 1.0)]),
        SnapshotServer(tmp_path, "b", lambda: [Sample("n", "counter", "", 2.0)]),
    ):
        assert figures(collect(tmp_path)) == {"hopline_processes": 2.0, "hopline_processes_silent": 0.0, "n": 3.0}
    assert list(tmp_path.iterdir()) == []


def test_a_stuck_process_is_counted_and_the_others_are_heard(tmp_path: Path) -> None:
    release = threading.Event()

    def stuck() -> list[Sample]:
        release.wait(10)
        return []

    with SnapshotServer(tmp_path, "a", lambda: [Sample("n", "counter", "", 1.0)]):
        with SnapshotServer(tmp_path, "b", stuck):
            assert figures(collect(tmp_path, timeout=0.1)) == {
                "hopline_processes": 1.0,
                "hopline_processes_silent": 1.0,
                "n": 1.0,
            }
            release.set()


def test_the_socket_of_a_killed_process_is_cleared_away(tmp_path: Path) -> None:
    ready, child_ready = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        SnapshotServer(tmp_path, "dead", list).open()
        child_ready.send(b"!")
        signal.pause()
    assert ready.recv(1) == b"!"
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    ready.close()
    child_ready.close()

    assert figures(collect(tmp_path))["hopline_processes"] == 0.0
    assert list(tmp_path.iterdir()) == []


def test_a_path_too_long_for_a_socket_says_so(tmp_path: Path) -> None:
    with pytest.raises(MetricsError, match="shorter path"):
        SnapshotServer(tmp_path / ("x" * 120), "a", list).open()
