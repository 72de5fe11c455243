"""Figures of several processes are asked for at once, and nobody who is stuck or dead hides the others."""

import os
import signal
import socket
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from hopline.metrics import MetricsError, Sample, SnapshotServer, collect


def figures(samples: list[Sample]) -> dict[str, object]:
    return {sample.name: sample.value for sample in samples}


def one(value: float) -> list[Sample]:
    return [Sample("n", "counter", "", value)]


def test_processes_are_asked_and_added_up(tmp_path: Path) -> None:
    with (
        SnapshotServer(tmp_path, "a", lambda: one(1.0)),
        SnapshotServer(tmp_path, "b", lambda: one(2.0)),
    ):
        assert figures(collect(tmp_path)) == {"hopline_processes": 2.0, "hopline_processes_silent": 0.0, "n": 3.0}
    assert list(tmp_path.iterdir()) == []


def test_a_stuck_process_is_counted_and_the_others_are_heard(tmp_path: Path) -> None:
    release = threading.Event()

    def stuck() -> list[Sample]:
        release.wait(10)
        return []

    with SnapshotServer(tmp_path, "a", lambda: one(1.0)):
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
    with pytest.raises(MetricsError, match=r"bytes long, and a socket's path at most 100; use .* shorter path"):
        SnapshotServer(tmp_path / ("x" * 120), "a", list).open()


def test_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(MetricsError, match="can't answer figures at"):
        SnapshotServer(tmp_path / "none", "a", list).open()


def test_many_stuck_processes_cost_one_timeout_and_hide_nobody(tmp_path: Path) -> None:
    release = threading.Event()

    def stuck() -> list[Sample]:
        release.wait(10)
        return []

    with ExitStack() as servers:
        for number in range(8):
            servers.enter_context(SnapshotServer(tmp_path, f"a{number}", stuck))
        servers.enter_context(SnapshotServer(tmp_path, "z", lambda: one(1.0)))
        started = time.monotonic()
        found = figures(collect(tmp_path, timeout=0.5))
        took = time.monotonic() - started
        release.set()

    assert found == {"hopline_processes": 1.0, "hopline_processes_silent": 8.0, "n": 1.0}
    assert took < 2.0  # eight in turn would take 4


def test_a_process_that_drips_is_held_to_the_same_deadline(tmp_path: Path) -> None:
    stop = threading.Event()

    def drip(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client, suppress(OSError):  # the other end hangs up first
            while not stop.wait(0.02):
                client.sendall(b" ")

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "drip.sock"))
        listener.listen()
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        started = time.monotonic()
        found = figures(collect(tmp_path, timeout=0.3))
        took = time.monotonic() - started
        stop.set()
        thread.join(10)

    assert found == {"hopline_processes": 0.0, "hopline_processes_silent": 1.0}
    assert took < 5.0


def test_figures_that_can_not_be_taken_once_can_be_taken_the_next_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = [False, True]

    def take() -> list[Sample]:
        if broken.pop():
            raise RuntimeError("dictionary changed size during iteration")
        return one(1.0)

    with SnapshotServer(tmp_path, "a", take):
        assert figures(collect(tmp_path)) == {"hopline_processes": 0.0, "hopline_processes_silent": 1.0}
        assert "can't take a snapshot of the figures of a" in caplog.text
        assert figures(collect(tmp_path)) == {"hopline_processes": 1.0, "hopline_processes_silent": 0.0, "n": 1.0}


def test_an_answer_larger_than_any_socket_buffer_arrives_whole(tmp_path: Path) -> None:
    many = [Sample(f"n{number}", "counter", "x" * 100, 1.0) for number in range(5_000)]

    with SnapshotServer(tmp_path, "a", lambda: many):
        assert len(collect(tmp_path, timeout=10.0)) == 5_002


def test_a_client_that_hangs_up_costs_the_others_nothing(tmp_path: Path) -> None:
    many = [Sample(f"n{number}", "counter", "x" * 100, 1.0) for number in range(5_000)]

    with SnapshotServer(tmp_path, "a", lambda: many):
        for _ in range(3):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(tmp_path / "a.sock"))
        assert figures(collect(tmp_path, timeout=10.0))["hopline_processes"] == 1.0


def test_a_server_can_be_opened_again_and_closed_twice(tmp_path: Path) -> None:
    server = SnapshotServer(tmp_path, "a", lambda: one(1.0))
    for _ in range(2):
        with server:
            assert figures(collect(tmp_path))["n"] == 1.0
        server.close()
    assert [thread.name for thread in threading.enumerate() if thread.name == "hopline-figures"] == []


def test_a_scrape_while_a_process_starts_does_not_take_its_socket_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen = socket.socket.listen

    def scraped_just_before(self: socket.socket, backlog: int) -> None:
        collect(tmp_path)
        listen(self, backlog)

    monkeypatch.setattr(socket.socket, "listen", scraped_just_before)
    with SnapshotServer(tmp_path, "a", lambda: one(1.0)):
        assert figures(collect(tmp_path))["hopline_processes"] == 1.0


def test_two_real_processes_add_up(tmp_path: Path) -> None:
    def serve(value: float) -> tuple[int, socket.socket]:
        mine, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            mine.close()
            with SnapshotServer(tmp_path, f"worker-{os.getpid()}", lambda: one(value)):
                theirs.send(b"!")
                theirs.recv(1)
            os._exit(0)
        theirs.close()
        assert mine.recv(1) == b"!"
        return pid, mine

    processes = [serve(1.0), serve(2.0)]
    found = figures(collect(tmp_path, timeout=10.0))
    for pid, ours in processes:
        ours.send(b".")
        ours.close()
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

    assert found == {"hopline_processes": 2.0, "hopline_processes_silent": 0.0, "n": 3.0}
    assert list(tmp_path.iterdir()) == []
