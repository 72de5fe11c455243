"""Who the client is, behind proxies: the PROXY protocol byte by byte, and forwarded headers hop by hop."""

import asyncio
import socket
import struct

import pytest

from hopline.http import App, ConnectionInfo, Head, Limits, Request, Response
from hopline.http.engine import Engine
from hopline.http.errors import ProtocolError
from hopline.http.forwarded import Client, client_of, forwarded
from hopline.http.proxies import SIGNATURE, read_proxy_header
from hopline.http.serve import serve
from hopline.http.tls import TLS
from hopline.http.trust import TrustedProxies
from tests.http.server import Server, read_all

LOCAL = TrustedProxies("127.0.0.0/8", "::1/128")
GET = b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n"


def binary(command: int, family: int, addresses: bytes, more: bytes = b"") -> bytes:
    return SIGNATURE + bytes((0x20 | command, family)) + struct.pack("!H", len(addresses + more)) + addresses + more


V4 = socket.inet_aton("192.0.2.7") + socket.inet_aton("10.0.0.1") + struct.pack("!HH", 4711, 443)
V6 = socket.inet_pton(socket.AF_INET6, "2001:db8::7") * 2 + struct.pack("!HH", 4711, 443)
SOUND = {
    b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 443\r\n": ("192.0.2.7", 4711),
    b"PROXY TCP6 2001:DB8::7 ::1 4711 443\r\n": ("2001:db8::7", 4711),
    b"PROXY UNKNOWN\r\n": None,
    b"PROXY UNKNOWN ffff:f::1 what ever 1 2\r\n": None,
    binary(1, 0x11, V4): ("192.0.2.7", 4711),
    binary(1, 0x21, V6, b"\x04\x00\x01x"): ("2001:db8::7", 4711),
    binary(0, 0x00, b""): None,  # the proxy's own health check
    binary(0, 0x11, V4): None,
    binary(1, 0x31, b"/" + bytes(215)): None,
    binary(1, 0x00, b""): None,
}
BROKEN = [
    b"GET / HTTP/1.1\r\n",
    b"PROXY TCP5 192.0.2.7 10.0.0.1 4711 443\r\n",
    b"PROXY TCP4 2001:db8::7 ::1 4711 443\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0 4711 443\r\n",
    b"PROXY TCP4 192.0.2.07 10.0.0.1 4711 443\r\n",
    b"PROXY TCP4  192.0.2.7 10.0.0.1 4711 443\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 4711\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 65536 443\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 04711 443\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 +471 443\r\n",
    b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 443 \r\n",
    b"PROXY \r\n",
    b"PROXY TCP4 " + b"1" * 96,
    b"proxy UNKNOWN\r\n",
    SIGNATURE + b"\x11\x11\x00\x0c" + V4,  # version 1
    SIGNATURE + b"\x22\x11\x00\x0c" + V4,  # command 2
    binary(1, 0x41, V4),
    binary(1, 0x13, V4),
    binary(1, 0x12, V4),
    binary(1, 0x11, V4[:-1]),
    binary(1, 0x21, V4),
    SIGNATURE + b"\x21\x11\x08\x01",
]


@pytest.mark.parametrize("header", SOUND)
def test_a_header_is_read_whole_at_whatever_byte_it_is_split(header: bytes) -> None:
    assert read_proxy_header(header + b"GET /") == (len(header), SOUND[header])
    for size in range(len(header)):
        assert read_proxy_header(header[:size]) is None


@pytest.mark.parametrize("header", BROKEN)
def test_a_broken_header_is_refused(header: bytes) -> None:
    with pytest.raises(ProtocolError) as error:
        read_proxy_header(header)
    assert error.value.rule == "proxy-header"


class Proxied(Server):
    """A Server behind the PROXY protocol."""

    def __init__(self, app: App, proxies: TrustedProxies) -> None:
        super().__init__(app)
        self._proxies = proxies

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.engine = Engine(self.app, self.loop)
        self.loop.run_until_complete(self.engine.start([self.listener], proxies=self._proxies))
        self._started.set()
        self.loop.run_forever()
        self.loop.run_until_complete(asyncio.sleep(0.01))
        self.loop.close()


def shows_peer() -> App:
    app = App(Limits(drain_grace=0.01))

    @app.get("/")
    def peer(request: Request) -> Response:
        return Response(f"{request.peer}")

    return app


@pytest.mark.parametrize("header", SOUND)
def test_the_named_client_is_the_peer_of_every_request(header: bytes) -> None:
    with Proxied(shows_peer(), LOCAL) as server:
        answer = server.talk(header + GET.replace(b"close", b"keep-alive") + GET)
        own = b"('127.0.0.1'"
        expected = own if SOUND[header] is None else str(SOUND[header]).encode()
        assert answer.count(expected) == 2
        with server.client() as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(len(header)):
                client.sendall(header[at : at + 1])
            client.sendall(GET)
            assert expected in read_all(client)


@pytest.mark.parametrize("header", BROKEN)
def test_a_broken_header_closes_the_connection_without_an_answer(header: bytes) -> None:
    with Proxied(shows_peer(), LOCAL) as server:
        assert b"HTTP" not in server.talk(header)
        assert server.stats().protocol_errors == 1


def test_a_header_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hopline.http.proxies.HEADER_TIMEOUT", 0.1)
    with Proxied(shows_peer(), LOCAL) as server, server.client() as client:
        client.sendall(b"PROXY TCP4 ")
        assert read_all(client) == b""


def test_who_is_no_proxy_of_ours_cannot_name_a_client() -> None:
    with Proxied(shows_peer(), TrustedProxies("192.0.2.0/24")) as server:
        assert b"('127.0.0.1'" in server.talk(GET)
        assert b"400 Bad Request" in server.talk(b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 443\r\n" + GET)


def test_tls_behind_it_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="let the proxy end TLS"):
        serve(App, tls=TLS("never read"), proxies=LOCAL)


# Forwarded headers

TRUSTED = TrustedProxies("127.0.0.1/32", "10.0.0.0/8", "2001:db8::/32")


def request_from(peer: str | None, *fields: str) -> Request:
    head = Head(ConnectionInfo(None if peer is None else (peer, 1)))
    head.method, head.target = b"GET", b"/"
    head.raw = b"GET / HTTP/1.1\r\n" + b"".join(f"{field}\r\n".encode() for field in fields) + b"\r\n"
    return Request(head)


X_FORWARDED = [
    ("127.0.0.1", ["X-Forwarded-For: 192.0.2.7"], Client("192.0.2.7", None, None)),
    ("192.0.2.1", ["X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https"], Client("192.0.2.1", None, None)),
    (
        "127.0.0.1",
        ["x-forwarded-for: 192.0.2.7", "x-forwarded-proto: HTTPS", "x-forwarded-host: a.example:8443"],
        Client("192.0.2.7", "https", "a.example:8443"),
    ),
    # What a client wrote itself stands left of what our proxies saw.
    ("127.0.0.1", ["X-Forwarded-For: 1.1.1.1, 192.0.2.7"], Client("192.0.2.7", None, None)),
    ("127.0.0.1", ["X-Forwarded-For: 10.1.1.1, 192.0.2.7"], Client("192.0.2.7", None, None)),
    (
        "127.0.0.1",
        ["X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 192.0.2.7, 10.0.0.9"],
        Client("192.0.2.7", None, None),
    ),
    ("127.0.0.1", ["X-Forwarded-For: 10.0.0.8, 10.0.0.9"], Client("10.0.0.8", None, None)),
    ("127.0.0.1", ["X-Forwarded-For: 192.0.2.7:4711"], Client("192.0.2.7", None, None)),
    ("127.0.0.1", ["X-Forwarded-For: [2001:db9::7]:4711"], Client("2001:db9::7", None, None)),
    ("::ffff:127.0.0.1", ["X-Forwarded-For: 2001:db9::7"], Client("2001:db9::7", None, None)),
    # Nonsense ends the reading.
    ("127.0.0.1", ["X-Forwarded-For: 192.0.2.7, unknown"], Client("127.0.0.1", None, None)),
    ("127.0.0.1", ["X-Forwarded-For: 192.0.2.7, unknown, 10.0.0.9"], Client("10.0.0.9", None, None)),
    ("127.0.0.1", ["X-Forwarded-For: 192.0.2.7,"], Client("127.0.0.1", None, None)),
    ("127.0.0.1", ["X-Forwarded-For:"], Client("127.0.0.1", None, None)),
    ("127.0.0.1", ["X-Forwarded-For: 192.0.2.7" + ", 10.0.0.9" * 32], Client("10.0.0.9", None, None)),
    ("127.0.0.1", ["X-Forwarded-Proto: gopher", "X-Forwarded-Host: a/b"], Client("127.0.0.1", None, None)),
    ("127.0.0.1", ["X-Forwarded-Proto: https"], Client("127.0.0.1", "https", None)),
    # Schemes stand as far from the right as their hops.
    (
        "127.0.0.1",
        ["X-Forwarded-For: 1.1.1.1, 192.0.2.7, 10.0.0.9", "X-Forwarded-Proto: ws, https, http"],
        Client("192.0.2.7", "https", None),
    ),
    ("127.0.0.1", ["Forwarded: for=1.1.1.1;proto=https"], Client("127.0.0.1", None, None)),  # not ours to believe
    ("127.0.0.1", [], Client("127.0.0.1", None, None)),
    (None, ["X-Forwarded-For: 192.0.2.7"], Client("", None, None)),
]


@pytest.mark.parametrize(("peer", "fields", "client"), X_FORWARDED)
def test_x_forwarded_headers_are_believed_as_far_as_proxies_are_ours(
    peer: str | None, fields: list[str], client: Client
) -> None:
    request = request_from(peer, *fields)
    assert client_of(request, TRUSTED) == client
    assert client_of(request.head(), TRUSTED) == client


FORWARDED = [
    ("for=192.0.2.7;proto=https;host=a.example", Client("192.0.2.7", "https", "a.example")),
    ('For="[2001:db9::7]:4711" ; Proto=http', Client("2001:db9::7", "http", None)),
    ("for=1.1.1.1;proto=ws, for=192.0.2.7;proto=https , for=10.0.0.9;by=_x", Client("192.0.2.7", "https", None)),
    ("for=unknown", Client("127.0.0.1", None, None)),
    ("for=_hidden;proto=https", Client("127.0.0.1", "https", None)),
    ("for=192.0.2.7, nonsense", Client("127.0.0.1", None, None)),
    ('for="192.0.2.7', Client("127.0.0.1", None, None)),
    (r'for="192.0.2\.7";host="a\"b"', Client("192.0.2.7", None, None)),
    ('for=1.1.1.1;x=",for=2.2.2.2"', Client("1.1.1.1", None, None)),
    ("", Client("127.0.0.1", None, None)),
]


@pytest.mark.parametrize(("value", "client"), FORWARDED)
def test_the_standard_field_is_read_where_it_was_asked_for(value: str, client: Client) -> None:
    request = request_from("127.0.0.1", f"Forwarded: {value}", "X-Forwarded-For: 9.9.9.9")
    assert client_of(request, TRUSTED, standard=True) == client


def test_a_unix_socket_is_trusted_only_by_name() -> None:
    request = request_from(None, "X-Forwarded-For: 192.0.2.7")
    assert client_of(request, TrustedProxies("unix")).address == "192.0.2.7"


def test_handlers_see_the_real_client_through_the_middleware() -> None:
    app = App()
    app.use(forwarded(LOCAL))

    @app.get("/")
    def show(request: Request) -> Response:
        return Response(f"{request.peer} {request.scheme} {request.host}")

    fields = b"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a.example\r\n\r\n"
    with Server(app) as server:
        assert server.talk(GET[:-2] + fields).endswith(b"('192.0.2.7', 0) https a.example")
        assert server.talk(GET).endswith(b") http h")


@pytest.mark.parametrize("network", ["10.0.0.1/8", "nonsense", "300.0.0.0/8"])
def test_what_is_no_network_is_refused(network: str) -> None:
    with pytest.raises(ValueError, match=network.partition("/")[0]):
        TrustedProxies(network)
