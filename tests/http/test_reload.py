"""A reload under load, in real processes: new code answers, and no request is lost."""

import os
import pty
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.http.supervision import PATIENCE, SCRIPT, Supervised, gone

CLIENTS = 24


@dataclass
class Client:
    """Asks on one connection until it is told that this was the last answer on it, then on the next."""

    server: Supervised
    pause: float  # seconds between two requests, in which the connection is idle
    answers: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    failures: list[str] = field(default_factory=list)
    enough: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.enough.is_set():
            self.connections += 1
            try:
                with self.server.connect() as connection:
                    while not self.enough.is_set() and self.ask(connection):
                        pass
            except (OSError, ValueError) as error:
                self.failures.append(repr(error))

    def ask(self, connection: socket.socket) -> bool:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
        head, body = read_answer(connection)
        self.answers[body] += 1
        self.enough.wait(self.pause)
        return b"connection: close" not in head


def read_answer(connection: socket.socket) -> tuple[bytes, str]:
    data = b""
    while b"\r\n\r\n" not in data or b" " not in data.partition(b"\r\n\r\n")[2]:
        part = connection.recv(4096)
        if not part:
            raise ValueError(f"closed after {data!r}")
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    return head.lower(), body.decode()


def ask(server: Supervised) -> str:
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")
        return read_answer(connection)[1]


@pytest.fixture
def version(tmp_path: Path) -> Path:
    path = tmp_path / "version"
    path.write_text("v0")
    return path


def test_no_request_fails_through_three_reloads_under_load(version: Path) -> None:
    with Supervised("reloads", version) as server:
        clients = [Client(server, pause=0.05 * (number % 2)) for number in range(CLIENTS)]
        threads = [threading.Thread(target=client.run) for client in clients]
        for thread in threads:
            thread.start()
        for number in range(1, 4):
            version.write_text(f"v{number}")
            server.signal(signal.SIGHUP)
            wait_for_reloads(server, number)
            all_ask_more(server, clients)
        for client in clients:
            client.enough.set()
        for thread in threads:
            thread.join(PATIENCE)
        answers = sum((client.answers for client in clients), Counter[str]())
        assert [failure for client in clients for failure in client.failures] == []
        assert {body.split()[0] for body in answers} == {"v0", "v1", "v2", "v3"}
        assert len({body.split()[1] for body in answers}) == 8  # two workers, four times
        assert answers.total() > 100 * CLIENTS
        assert sum(client.connections for client in clients) > CLIENTS  # so it was told that connections end
        assert "cut" not in server.output()
        assert server.stop() == 0


def wait_for_reloads(server: Supervised, number: int) -> None:
    server.until(lambda: server.output().count("INFO reloaded: 3 processes") == number)


def all_ask_more(server: Supervised, clients: list[Client]) -> None:
    before = [client.answers.total() for client in clients]
    server.until(lambda: all(one.answers.total() > count + 5 for one, count in zip(clients, before, strict=True)))


def test_companions_are_reloaded_after_the_workers_and_never_two_at_once(version: Path) -> None:
    with Supervised("reloads", version) as server:
        server.signal(signal.SIGHUP)
        server.until(lambda: len(server.pids("companion")) == 2)
        events = [line.split()[0] + line.split()[-2] for line in server.output().splitlines() if "companion" in line]
        assert events == ["companioncompanion", "companionstopped", "companioncompanion"]
        assert server.stop() == 0


def test_a_version_that_cannot_start_leaves_the_old_one_in_place_and_is_named(version: Path) -> None:
    with Supervised("reloads", version) as server:
        version.write_text("broken")
        server.signal(signal.SIGHUP)
        server.until(lambda: "the new version is broken" in server.output())
        assert "so the reload ends: 0 processes run anew, 3 as before" in server.output()
        assert {ask(server).split()[0] for _ in range(20)} == {"v0"}
        version.write_text("v1")
        server.signal(signal.SIGHUP)
        server.until(lambda: "INFO reloaded" in server.output())
        assert {ask(server).split()[0] for _ in range(20)} == {"v1"}
        assert server.stop() == 0


def test_a_version_that_is_never_ready_is_killed_and_the_old_one_stays(version: Path) -> None:
    with Supervised("reloads_slowly", version) as server:
        version.write_text("hangs")
        server.signal(signal.SIGHUP)
        server.until(lambda: "it ended with SIGKILL and said nothing" in server.output())
        assert "was not ready in 0.3 s and is killed" in server.output()
        assert len(server.pids("started")) == 1


def test_an_old_process_that_does_not_end_is_killed(version: Path, tmp_path: Path) -> None:
    with Supervised("reloads_slowly", version) as server:
        (first,) = server.pids("started")
        version.rename(tmp_path / "away")  # which is also what the old one waits for, in vain
        version.symlink_to(tmp_path / "away")
        os.kill(first, signal.SIGSTOP)
        server.signal(signal.SIGHUP)
        server.until(lambda: f"(process {first}) did not end in 0.3 s and is killed" in server.output())
        server.until(lambda: "INFO reloaded" in server.output())
        assert len(server.pids("started")) == 2
        assert server.stop() == 0


def test_two_reloads_asked_for_while_one_is_under_way_load_the_last_version(version: Path) -> None:
    with Supervised("reloads", version) as server:
        server.signal(signal.SIGHUP)
        server.until(lambda: children_of(server.pid) == 4)
        version.write_text("v1")
        server.signal(signal.SIGHUP)
        server.signal(signal.SIGHUP)
        server.until(lambda: {ask(server).split()[0] for _ in range(20)} == {"v1"})
        assert server.stop() == 0


def test_a_stop_in_the_middle_of_a_reload_ends_all(version: Path) -> None:
    with Supervised("reloads", version) as server:
        version.write_text("hangs")
        server.signal(signal.SIGHUP)
        server.until(lambda: children_of(server.pid) == 4)
        server.signal(signal.SIGTERM)
        server.until(lambda: children_of(server.pid) == 2)  # the one that hangs, and the companion

        def asked_again() -> bool:
            server.signal(signal.SIGTERM)
            return "is killed by a second signal" in server.output()

        server.until(asked_again)
        assert server.wait(PATIENCE) != 0


def children_of(pid: int) -> int:
    return len(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def test_a_terminal_that_goes_ends_the_server_instead(version: Path) -> None:
    said = version.with_name("output")
    pid, terminal = pty.fork()
    if pid == 0:
        os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT), 1)
        os.execv(sys.executable, [sys.executable, str(SCRIPT), "reloads", str(version)])  # noqa: S606 - no shell
    try:
        wait_until(lambda: said.exists() and "ready http" in said.read_text())
        os.close(terminal)  # the kernel sends SIGHUP, and its terminal is none any more
        wait_until(lambda: gone(pid))
    finally:
        os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
    assert os.waitstatus_to_exitcode(status) == 0


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
