"""`serve` from outside, in real processes: who answers, who is replaced, and how it all ends."""

import os
import signal
import socket
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hopline.http.serve import serve
from tests.http.supervision import PATIENCE, Supervised, answer, gone


def workers_of(server: Supervised, number: int) -> list[int]:
    server.until(lambda: len(server.pids("worker")) >= number)
    return server.pids("worker")


def test_all_workers_answer_on_one_port() -> None:
    with Supervised("three") as server:
        workers = set(workers_of(server, 3))
        answered: set[int] = set()

        def all_have_answered() -> bool:
            answered.add(server.ask())
            return answered == workers

        server.until(all_have_answered)


def test_ready_is_told_once_and_only_when_all_workers_are() -> None:
    with Supervised("three") as server:
        assert len(server.pids("worker")) == 3
        server.stop()
        assert server.output().count("ready http://127.0.0.1:") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_all_and_is_clean(number: int) -> None:
    with Supervised("three") as server:
        server.signal(number)
        assert server.end() == 0
        assert all(gone(pid) for pid in server.pids("worker"))
        assert sorted(server.pids("worker stopped")) == sorted(server.pids("worker"))
        with pytest.raises(ConnectionRefusedError):
            server.connect()


def test_ctrl_c_which_the_whole_terminal_gets_ends_all_just_as_cleanly() -> None:
    with Supervised("three") as server:
        os.killpg(server.pid, signal.SIGINT)
        assert server.end() == 0
        assert len(server.pids("worker stopped")) == 3
        assert "Traceback" not in server.output()


def test_a_worker_that_is_killed_is_named_with_the_signal_and_replaced() -> None:
    with Supervised("one") as server:
        (first,) = server.pids("worker")
        os.kill(first, signal.SIGKILL)
        assert server.ask() != first
        assert f"worker 1 (process {first}) ended with SIGKILL" in server.output()
        assert server.stop() == 0


def test_connections_that_wait_while_a_worker_is_replaced_are_served() -> None:
    with Supervised("one") as server:
        (first,) = server.pids("worker")
        os.kill(first, signal.SIGSTOP)  # so that none of what follows is in its hands when it dies
        waiting = [server.connect() for _ in range(50)]
        os.kill(first, signal.SIGKILL)
        second = {answer(connection) for connection in waiting}
        assert len(second) == 1
        assert second != {first}
        for connection in waiting:
            connection.close()


@dataclass
class Client:
    """Asks again and again; keeps when each connection that failed was begun and was given up, and why."""

    server: Supervised
    answers: int = 0
    failures: list[tuple[float, float, OSError | ValueError]] = field(default_factory=list)
    enough: threading.Event = field(default_factory=threading.Event)

    def answered_20_more(self) -> None:
        enough = self.answers + 20
        self.server.until(lambda: self.answers >= enough)

    def run(self) -> None:
        while not self.enough.is_set():
            begun = time.monotonic()
            try:
                self.server.ask()
                self.answers += 1
            except (OSError, ValueError) as error:  # ValueError: closed without an answer
                self.failures.append((begun, time.monotonic(), error))


def test_no_connection_is_refused_or_reset_by_the_deaths_of_workers_that_did_not_hold_it() -> None:
    with Supervised("three") as server:
        clients = [Client(server) for _ in range(3)]
        threads = [threading.Thread(target=client.run) for client in clients]
        for thread in threads:
            thread.start()
        deaths = []
        for count in range(3, 9):
            for client in clients:
                client.answered_20_more()
            victim = workers_of(server, count)[-1]
            os.kill(victim, signal.SIGKILL)
            deaths.append(time.monotonic())
            workers_of(server, count + 1)
        for client in clients:
            client.enough.set()
        for thread in threads:
            thread.join(PATIENCE)
    failures = [failure for client in clients for failure in client.failures]
    assert not [error for _, _, error in failures if isinstance(error, ConnectionRefusedError)]
    # Excepted is what the dead worker may have had in its hands: begun before the death, lost after it.
    assert not [one for one in failures if not any(one[0] <= death <= one[1] for death in deaths)]
    assert len(failures) <= len(deaths)


def test_workers_end_when_the_supervisor_is_killed() -> None:
    with Supervised("three") as server:
        server.signal(signal.SIGKILL)
        assert server.end() == -signal.SIGKILL
        server.until(lambda: all(gone(pid) for pid in server.pids("worker")))
        assert len(server.pids("worker stopped")) == 3  # not cut: each was told


def test_a_stuck_worker_ends_itself_when_the_supervisor_is_killed() -> None:
    with Supervised("stuck") as server:
        (worker,) = server.pids("worker")
        server.signal(signal.SIGKILL)
        server.until(lambda: gone(worker))
        assert f"worker 1 (process {worker}) did not end in 1.3 s and ends itself" in server.output()


def test_a_worker_that_does_not_stop_in_time_is_killed_and_named() -> None:
    with Supervised("stuck") as server:
        (worker,) = server.pids("worker")
        server.signal(signal.SIGTERM)
        assert server.end() == 1
        assert gone(worker)
        assert f"worker 1 (process {worker}) did not end in 0.3 s and is killed" in server.output()


def test_nobody_waits_in_the_queue_of_a_server_that_finishes_what_it_has(tmp_path: Path) -> None:
    with Supervised("lingers", tmp_path / "go") as server:
        server.signal(signal.SIGTERM)
        server.until(lambda: server.pids("draining"))
        with pytest.raises(ConnectionRefusedError):
            server.connect()
        (tmp_path / "go").touch()
        assert server.end() == 0


def test_companions_are_stopped_only_after_the_last_worker() -> None:
    with Supervised("with_companion") as server:
        assert server.stop() == 0
        events = [line.rpartition(" ")[0] for line in server.output().splitlines()]
        stops = [event for event in events if event.endswith("stopped")]
        assert stops == ["worker stopped", "worker stopped", "companion stopped"]


def test_a_companion_that_crashes_is_logged_with_its_error_and_replaced(tmp_path: Path) -> None:
    with Supervised("companion_crashes", tmp_path / "repaired") as server:
        server.until(lambda: len(server.pids("companion")) >= 3)
        assert server.ask() == server.pids("worker")[0]
        (tmp_path / "repaired").touch()
        server.until(lambda: server.pids("companion repaired"))
        assert server.stop() == 0
        for pid in server.pids("companion")[:2]:
            assert f"ingester (process {pid}) failed" in server.output()
            assert f"ingester (process {pid}) ended with exit code 1" in server.output()
        assert "OSError: the disk is on fire" in server.output()


def test_an_application_that_cannot_be_made_ends_the_server_and_is_shown_once() -> None:
    with Supervised("broken", until=None) as server:
        assert server.end() == 1
        output = server.output()
        assert output.count("LookupError: no such database") == 1
        assert "in make_app" in output  # a traceback says where
        assert "failed to start 3 times in a row" in output
        assert 3 <= len(server.pids("make_app")) <= 6


def test_an_error_written_for_people_is_shown_without_a_traceback() -> None:
    with Supervised("misconfigured", until=None) as server:
        assert server.end() == 1
        assert "so all is stopped: redirect_status must be 301 or 302, not 999" in server.output()
        assert "Traceback" not in server.output()


def test_a_stop_during_a_slow_start_is_clean(tmp_path: Path) -> None:
    with Supervised("slow_to_start", tmp_path / "go", until="make_app") as server:
        server.signal(signal.SIGTERM)
        (tmp_path / "go").touch()
        assert server.end() == 0
        assert "ready" not in server.output()


def test_a_taken_port_is_an_error_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with Supervised("port_taken", str(port), until=None) as server:
            assert server.end() == 1
            assert f"can't listen on '127.0.0.1' port {port}: the port is in use" in server.output()
            assert "--port" in server.output()
            assert not server.pids("worker")


def test_nobody_is_left_behind_when_on_ready_fails() -> None:
    with Supervised("on_ready_fails", until=None) as server:
        assert server.end() == 1
        assert "ZeroDivisionError" in server.output()
        assert all(gone(pid) for pid in server.pids("worker"))


def test_the_engine_serves_and_stops_under_it() -> None:
    with Supervised("engine") as server:
        with server.connect() as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            reply = b""
            while part := connection.recv(4096):
                reply += part
        assert reply.startswith(b"HTTP/1.1 200 OK\r\n")
        worker = int(reply.rpartition(b"\r\n\r\n")[2])
        assert worker != server.pid
        os.kill(worker, signal.SIGTERM)  # by somebody else: the engine hears it, too
        server.until(lambda: f"(process {worker}) ended with exit code 0" in server.output())
        assert server.stop() == 0


def test_less_than_one_worker_is_refused() -> None:
    with pytest.raises(ValueError, match="workers must be 1 or more, not 0"):
        serve(lambda: pytest.fail("made in the wrong process"), workers=0)
