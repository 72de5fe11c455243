"""Listening sockets: where they listen, what they refuse, and that nothing is left open when they do."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from hopline.http.errors import HTTPServerError
from hopline.http.sockets import SPREADS, ListenError, Listeners
from hopline.testing import free_port


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


HOSTS = {
    "127.0.0.1": ("127.0.0.1", "http://127.0.0.1:{}"),
    "localhost": ("127.0.0.1", "http://localhost:{}"),
    "0.0.0.0": ("127.0.0.1", "http://127.0.0.1:{}"),  # noqa: S104 - to listen on all is what is tested
}
if has_ipv6():
    HOSTS |= {"::1": ("::1", "http://[::1]:{}"), "[::1]": ("::1", "http://[::1]:{}"), "::": ("::1", "http://[::1]:{}")}


@pytest.mark.parametrize("host", HOSTS)
def test_a_client_reaches_what_the_url_names(host: str) -> None:
    address, url = HOSTS[host]
    with Listeners(host, 0, 2) as listeners:
        assert listeners.port > 0
        assert listeners.url == url.format(listeners.port)
        socket.create_connection((address, listeners.port), timeout=5).close()


@pytest.mark.parametrize("host", [host for host in HOSTS if host == "::"])
def test_all_addresses_of_both_families_are_one_host(host: str) -> None:
    with Listeners(host, 0, 2) as listeners:
        for address in ("127.0.0.1", "::1"):
            socket.create_connection((address, listeners.port), timeout=5).close()


def test_a_name_is_served_on_all_its_addresses_on_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = ["127.0.0.1", "::1" if has_ipv6() else "127.0.0.2"]
    resolve_to(monkeypatch, *addresses)
    with Listeners("localhost", 0, 2) as listeners:
        monkeypatch.undo()
        for address in addresses:
            socket.create_connection((address, listeners.port), timeout=5).close()


def test_all_slots_listen_on_the_one_port_that_was_drawn() -> None:
    with Listeners("127.0.0.1", 0, 3) as listeners:
        assert len(listeners.of_slot) == 3
        ports = {listener.getsockname()[1] for sockets in listeners.of_slot for listener in sockets}
        assert ports == {listeners.port}


def test_sockets_neither_block_nor_survive_an_exec() -> None:
    with Listeners("127.0.0.1", 0, 2) as listeners:
        for (listener,) in listeners.of_slot:
            assert not listener.getblocking()
            assert not listener.get_inheritable()


def test_each_slot_gets_a_share_of_the_connections_where_the_kernel_spreads_them() -> None:
    with Listeners("127.0.0.1", 0, 3) as listeners:
        clients = [socket.create_connection(("127.0.0.1", listeners.port), timeout=5) for _ in range(120)]
        shares = [accept_all(sockets[0]) for sockets in listeners.of_slot]
        assert sum(shares) == len(clients)
        # 120 fair draws leave one of three slots below 15 less often than once in 10^6.
        assert min(shares) >= 15 or not SPREADS
        for client in clients:
            client.close()


def accept_all(listener: socket.socket) -> int:
    accepted = 0
    try:
        while True:
            listener.accept()[0].close()
            accepted += 1
    except BlockingIOError:
        return accepted


@pytest.fixture(params=["plain", "with SO_REUSEPORT"])
def taken_port(request: pytest.FixtureRequest) -> Iterator[int]:
    with socket.socket() as other:
        if request.param != "plain":
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.mark.parametrize("slots", [1, 2])
def test_a_taken_port_is_refused_with_the_way_out_even_if_its_holder_would_share(taken_port: int, slots: int) -> None:
    with pytest.raises(ListenError) as caught, Listeners("127.0.0.1", taken_port, slots):
        pass
    message = str(caught.value)
    assert f"can't listen on '127.0.0.1' port {taken_port}: the port is in use" in message
    assert "--port" in message
    assert f":{taken_port}" in message
    assert isinstance(caught.value, HTTPServerError)


def test_a_second_server_of_several_workers_is_refused_and_the_first_goes_on() -> None:
    with Listeners("127.0.0.1", 0, 2) as first:
        with pytest.raises(ListenError, match="in use"), Listeners("127.0.0.1", first.port, 2):
            pass
        socket.create_connection(("127.0.0.1", first.port), timeout=5).close()


def test_the_port_is_free_again_at_once_after_a_close() -> None:
    port = free_port()
    for _ in range(3):
        with Listeners("127.0.0.1", port, 2):
            client = socket.create_connection(("127.0.0.1", port), timeout=5)
        client.close()


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("192.0.2.1", "does not have that address"),  # TEST-NET-1 is nobody's
        ("", "the host is empty"),
        ("no.such.host.invalid", "the host is not known here"),
        ("a..b", "the host is not known here"),
        ("x" * 64, "the host is not known here"),
    ],
)
def test_a_host_that_is_not_ours_is_refused(host: str, reason: str) -> None:
    with pytest.raises(ListenError, match=reason), Listeners(host, 0, 1):
        pass


def test_a_name_is_served_on_the_addresses_that_the_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "192.0.2.1", "127.0.0.1")  # as "localhost" is ::1, too, where there is no IPv6
    with Listeners("localhost", 0, 2) as listeners:
        assert [len(sockets) for sockets in listeners.of_slot] == [1, 1]


def test_nothing_stays_open_when_one_of_several_addresses_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "127.0.0.1", "127.0.0.2")
    with socket.socket() as other:
        other.bind(("127.0.0.2", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ListenError, match="in use"), Listeners("localhost", port, 2):
            pass
        monkeypatch.undo()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def getaddrinfo(host: Any, port: int, **_: Any) -> list[Any]:
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
