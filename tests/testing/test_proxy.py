import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from hopline.testing import ProxyError, TcpProxy, free_port

SOON = 30.0  # a bound for what must happen


@pytest.fixture
def echo() -> Iterator[tuple[str, int]]:
    """A server that sends back what it gets, and closes when the client does."""

    def answer(connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65_536):
                    connection.sendall(data)
            except OSError:
                pass

    def accept() -> None:
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=accept)
    thread.start()
    yield listener.getsockname()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.fixture
def proxy(echo: tuple[str, int]) -> Iterator[TcpProxy]:
    with TcpProxy(echo) as proxy:
        yield proxy


def connect(proxy: TcpProxy) -> socket.socket:
    return socket.create_connection(proxy.address, timeout=SOON)


def ask(client: socket.socket, data: bytes) -> bytes:
    client.sendall(data)
    answer = b""
    while len(answer) < len(data) and (more := client.recv(65_536)):
        answer += more
    return answer


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_everything_passes_both_ways(proxy: TcpProxy) -> None:
    data = bytes(range(256)) * 4096

    with connect(proxy) as client:
        sender = threading.Thread(target=client.sendall, args=(data,))
        sender.start()
        answer = b""
        while len(answer) < len(data):
            answer += client.recv(65_536)
        sender.join()

        assert answer == data
        until(lambda: proxy.stats().to_client == len(data))
        stats = proxy.stats()
        assert (stats.accepted, stats.open, stats.to_server) == (1, 1, len(data))


def test_a_half_close_is_passed_on_and_the_answer_still_comes(proxy: TcpProxy) -> None:
    with connect(proxy) as client:
        client.sendall(b"last words")
        client.shutdown(socket.SHUT_WR)

        answer = b""
        while more := client.recv(100):
            answer += more

        assert answer == b"last words"
    until(lambda: proxy.stats().open == 0)


def test_cut_resets_what_is_open_and_welcomes_what_is_new(proxy: TcpProxy) -> None:
    with connect(proxy) as first, connect(proxy) as second:
        assert (ask(first, b"1"), ask(second, b"2")) == (b"1", b"2")

        assert proxy.cut() == 2

        for client in (first, second):
            with pytest.raises(ConnectionResetError):
                client.recv(1)
    with connect(proxy) as third:
        assert ask(third, b"3") == b"3"
    assert proxy.stats().cut == 2


def test_cut_after_lets_exactly_so_many_bytes_of_the_answer_pass(proxy: TcpProxy) -> None:
    with connect(proxy) as client:
        assert ask(client, b"whole") == b"whole"
        proxy.cut_after(3)
        client.sendall(b"ha")
        assert client.recv(2) == b"ha"
        client.sendall(b"lf")

        assert client.recv(10) == b"l"
        with pytest.raises(ConnectionResetError):
            client.recv(10)
    with connect(proxy) as client:
        assert ask(client, b"whole") == b"whole"  # once only


def test_dropped_bytes_stand_still_and_arrive_after_healing(proxy: TcpProxy) -> None:
    with connect(proxy) as client:
        assert ask(client, b"before") == b"before"
        proxy.drop()
        client.sendall(b"during")
        until(lambda: proxy.stats().held == 1)
        assert proxy.stats().to_server == len(b"before")

        proxy.heal()

        assert client.recv(10) == b"during"


def test_delay_holds_each_direction_back(proxy: TcpProxy) -> None:
    with connect(proxy) as client:
        proxy.delay(0.05)
        began = time.monotonic()
        assert ask(client, b"slow") == b"slow"

        assert time.monotonic() - began >= 0.1
        assert proxy.stats().held == 2


def test_refuse_turns_new_connections_away_and_keeps_the_old(proxy: TcpProxy) -> None:
    with connect(proxy) as old:
        assert ask(old, b"1") == b"1"
        proxy.refuse()

        with pytest.raises(ConnectionResetError), connect(proxy) as new:
            new.recv(1)

        assert ask(old, b"2") == b"2"
        assert proxy.stats().refused == 1
        proxy.heal()
        with connect(proxy) as new:
            assert ask(new, b"3") == b"3"


def test_a_target_that_is_down_refuses() -> None:
    with TcpProxy(("127.0.0.1", free_port())) as proxy:
        with pytest.raises(ConnectionResetError), connect(proxy) as client:
            client.recv(1)
        assert proxy.stats().refused == 1


def test_connections_are_bounded(echo: tuple[str, int]) -> None:
    with TcpProxy(echo, max_connections=1) as proxy, connect(proxy) as first:
        assert ask(first, b"1") == b"1"

        with pytest.raises(ConnectionResetError), connect(proxy) as second:
            second.recv(1)


def test_closing_resets_clients_and_leaves_no_thread(echo: tuple[str, int]) -> None:
    with TcpProxy(echo) as proxy:
        client = connect(proxy)
        assert ask(client, b"1") == b"1"
        proxy.drop()
    proxy.close()

    with client, pytest.raises(ConnectionResetError):
        client.recv(1)
    assert "hopline-tcp-proxy" not in {thread.name for thread in threading.enumerate()}


def test_a_proxy_can_be_opened_again(echo: tuple[str, int]) -> None:
    proxy = TcpProxy(echo)
    for _ in range(2):
        with proxy, connect(proxy) as client:
            assert ask(client, b"again") == b"again"


def test_a_proxy_that_is_not_open_says_so(echo: tuple[str, int]) -> None:
    with pytest.raises(ProxyError, match="not open; use `with`"):
        TcpProxy(echo).cut()
