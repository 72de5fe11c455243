"""Unix sockets and sockets that a service manager passes."""

import os
import signal
import socket
import stat
from pathlib import Path

import pytest

from hopline.http.sockets import ListenError
from hopline.http.unixsockets import UnixListeners, passed_sockets
from tests.http.server import read_all
from tests.http.supervision import Supervised

GET = b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n"


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "socket")


def connect(path: str) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    client.connect(path)
    return client


def test_a_server_answers_there_through_a_reload_and_removes_it_at_the_end(path: str) -> None:
    with Supervised("unix", path) as server:
        assert f"ready unix:{path}" in server.output()
        server.signal(signal.SIGHUP)
        server.until(lambda: "INFO reloaded" in server.output())
        with connect(path) as client:
            client.sendall(GET)
            assert b"http None " in read_all(client)
        assert server.stop() == 0
        assert not os.path.lexists(path)


def test_all_slots_share_one_socket_with_the_mode_that_was_asked_for(path: str) -> None:
    with UnixListeners(path, 2, 0o600) as listeners:
        assert listeners.of_slot[0] == listeners.of_slot[1]
        assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
        connect(path).close()


def test_what_a_killed_server_has_left_is_replaced(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(path)
    with UnixListeners(path, 1):
        connect(path).close()


def test_a_path_that_somebody_listens_on_is_refused_and_left_alone(path: str) -> None:
    with UnixListeners(path, 1):
        with pytest.raises(ListenError, match="another server listens there"), UnixListeners(path, 1):
            pass
        connect(path).close()


def test_a_file_is_never_removed(path: str) -> None:
    Path(path).write_text("precious")
    with pytest.raises(ListenError, match="something else than a socket"), UnixListeners(path, 1):
        pass
    assert Path(path).read_text() == "precious"


def test_a_successor_on_the_same_path_keeps_its_file(path: str) -> None:
    with UnixListeners(path, 1):
        Path(path).unlink()
        successor = UnixListeners(path, 1)
        successor.open()
    connect(path).close()
    successor.close()


@pytest.mark.parametrize(
    ("path", "reason"), [("", "1 to 107 bytes"), ("/tmp/" + "x" * 110, "1 to 107"), ("/no/such/folder/s", "make it")]
)
def test_a_path_that_cannot_be_is_refused(path: str, reason: str) -> None:
    with pytest.raises(ListenError, match=reason) as error, UnixListeners(path, 1):
        pass
    assert str(error.value).startswith(f"can't listen on 'unix:{path}': ")


def test_a_passed_socket_is_served(path: str) -> None:
    with Supervised("socket_activated") as server, server.connect() as client:
        client.sendall(GET)
        assert b"http ('127.0.0.1'" in read_all(client)
        assert server.stop() == 0


def test_sockets_passed_to_another_process_are_not_ours() -> None:
    environ = {"LISTEN_FDS": "1", "LISTEN_PID": "1"}
    assert passed_sockets(environ, 2) == []
    assert environ
    assert passed_sockets({}, 2) == []


@pytest.mark.parametrize("count", ["0", "-1", "x", "65", "²"])
def test_a_count_that_is_none_is_refused(count: str) -> None:
    with pytest.raises(ListenError, match="LISTEN_FDS must be 1 to 64"):
        passed_sockets({"LISTEN_FDS": count, "LISTEN_PID": "2"}, 2)
