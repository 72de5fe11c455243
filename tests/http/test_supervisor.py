"""The supervisor alone, with children that know of no sockets or HTTP, in real processes."""

import os
import signal
import threading
from pathlib import Path

import pytest

from hopline.http.child import Slot
from hopline.http.supervisor import LONGEST_DELAY, Supervisor, restart_delay
from tests.http.supervision import PATIENCE, Supervised, gone


def test_restarts_are_quick_first_and_never_far_apart() -> None:
    delays = [restart_delay(crashes) for crashes in range(1000)]
    assert delays[:4] == [0.0, 0.1, 0.2, 0.4]
    assert delays == sorted(delays)
    assert delays[-1] == LONGEST_DELAY


def test_a_child_that_is_never_ready_is_killed_and_given_up() -> None:
    with Supervised("never_ready", until=None) as server:
        assert server.end() == 1
        assert server.output().count("was not ready in 0.2 s and is killed") == 3
        assert "it ended with SIGKILL and said nothing" in server.output()
        assert all(gone(pid) for pid in server.pids("started"))


def test_a_child_that_ends_by_itself_is_replaced_with_growing_pauses() -> None:
    with Supervised("returns_early", until="started") as server:
        server.until(lambda: len(server.pids("started")) >= 4)
        for pause in ("starting it again\n", "again in 0.1 s", "again in 0.2 s"):
            assert pause in server.output()
        assert "sprinter (process" in server.output()
        assert "ended with exit code 0" in server.output()
        assert server.stop() == 0


def test_a_child_that_cannot_start_any_more_is_tried_on_and_says_why(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    with Supervised("loses_its_sense_later", marker) as server:
        os.kill(server.pids("started")[0], signal.SIGKILL)
        server.until(lambda: server.output().count("before it was ready") >= 4)
        assert "the database has moved away" in server.output()
        marker.unlink()
        server.until(lambda: len(server.pids("started")) == 2)
        assert server.stop() == 0


def test_a_child_holds_its_own_sockets_and_no_others() -> None:
    with Supervised("counts_descriptors") as server:
        server.until(lambda: len(server.pids(r"holds \d+ sockets")) == 4)
        # Its listener, its line, and the one by which the test sees that it is gone.
        assert len(server.pids("holds 3 sockets")) == 4


def test_a_child_is_stopped_even_if_it_took_sigterm_for_itself() -> None:
    with Supervised("takes_sigterm_for_itself") as server:
        assert server.stop() == 0
        assert len(server.pids("stopped")) == 1


def test_a_child_that_is_told_to_stop_by_somebody_else_is_replaced() -> None:
    with Supervised("one") as server:
        (first,) = server.pids("worker")
        os.kill(first, signal.SIGTERM)
        server.until(lambda: len(server.pids("worker")) == 2)
        assert server.pids("worker stopped") == [first]
        assert server.stop() == 0


def test_a_second_signal_ends_all_at_once() -> None:
    with Supervised("stuck_long") as server:
        (worker,) = server.pids("worker")

        def asked_again() -> bool:
            server.signal(signal.SIGINT)
            return f"worker 1 (process {worker}) is killed by a second signal" in server.output()

        server.until(asked_again)
        server.wait(PATIENCE)  # not for its code: the last signal may have come when it no longer took any
        assert gone(worker)


def test_the_same_ctrl_c_passed_on_by_a_wrapper_is_no_second_signal(tmp_path: Path) -> None:
    with Supervised("lingers", tmp_path / "go") as server:
        server.signal(signal.SIGINT)
        server.signal(signal.SIGTERM)
        (tmp_path / "go").touch()
        assert server.end() == 0


def test_a_program_may_supervise_once_more_after_a_stop() -> None:
    with Supervised("twice", until=None) as server:
        assert server.end() == 0
        assert "codes [0, 0]" in server.output()


def test_another_thread_than_the_main_one_is_refused() -> None:
    caught: list[BaseException] = []

    def run() -> None:
        with pytest.raises(RuntimeError, match="only the main thread can take signals") as error:
            Supervisor([Slot("worker", lambda _: None)]).run()
        caught.append(error.value)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert caught


@pytest.mark.parametrize("timeouts", [{"shutdown_timeout": -1.0}, {"start_timeout": 0.0}])
def test_a_time_that_is_none_is_refused(timeouts: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="timeouts must be positive"):
        Supervisor([], **timeouts)  # type: ignore[arg-type]
