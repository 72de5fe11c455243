"""The HTTP client: what it keeps, what it repeats, and what it says when it fails."""

import socket

import pytest

from hopline.cli.client import Client, ConnectionLost, NoServer
from hopline.cli.errors import CliError
from tests.cli.conftest import Run
from tests.cli.fake_api import KEY, FakeApi


def test_one_connection_carries_many_requests(api: FakeApi) -> None:
    with Client(api.url, KEY) as client:
        assert [client.request("GET", "/api/v1/links").status for _ in range(5)] == [200] * 5
    assert api.connections == 1


def test_a_connection_closed_while_idle_is_replaced_before_it_is_used(api: FakeApi) -> None:
    api.close_idle = True
    with Client(api.url, KEY) as client:
        for number in range(5):
            body = b'{"url": "https://a.example/%d"}' % number
            assert client.request("POST", "/api/v1/links", body=body).status == 201
            api.wait_closed(number + 1)
    assert len(api.links) == 5


def test_a_get_is_sent_once_more_on_a_stale_connection_and_a_post_is_not(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.close_idle = True
    with Client(api.url, KEY) as client:
        client.request("GET", "/api/v1/links")
        api.wait_closed(1)
        # The close arrives only after the look at the connection: pretend that nothing is there to be read.
        monkeypatch.setattr("hopline.cli.client.select.select", lambda *_: ([], [], []))
        assert client.request("GET", "/api/v1/links").status == 200
        api.wait_closed(2)
        with pytest.raises(ConnectionLost, match="broke during a POST"):
            client.request("POST", "/api/v1/links", body=b"{}")


def test_silence_ends_with_the_read_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with Client(f"http://127.0.0.1:{listener.getsockname()[1]}", read_timeout=0.05) as client:
            with pytest.raises(ConnectionLost, match=r"gave no answer within 0\.05 s"):
                client.request("GET", "/")


def test_no_server_is_said_with_the_way_out(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    ran = run("links", "--server", url)
    assert ran.status == 1
    assert ran.err == f"hopline: no server at {url} (connection refused); start one with `hopline serve`\n"


def test_an_unknown_host_is_no_server() -> None:
    with Client("http://no-such-host.invalid") as client, pytest.raises(NoServer, match="no server at"):
        client.request("GET", "/")


@pytest.mark.parametrize(
    "server", ["localhost:8080", "ftp://a/", "http://", "http://a:x/", "http://u:p@a/", "http://[::1"]
)
def test_what_is_no_address_is_refused_before_anything_is_sent(server: str) -> None:
    with pytest.raises(CliError, match="not a server's address"):
        Client(server)


def test_a_server_below_a_path_is_reached_there(api: FakeApi) -> None:
    api.raw["/short/api/v1/links"] = (200, "application/json", b'{"links": []}')
    with Client(f"{api.url}/short/", KEY) as client:
        assert client.request("GET", "/api/v1/links").body == b'{"links": []}'


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, "text/html", b"<h1>Welcome</h1>"), "doesn't answer like Hopline"),
        ((200, "application/json", b'{"links": 3}'), "doesn't answer like Hopline"),
        ((502, "text/html", b"Bad gateway"), "the server failed (502)"),
        ((301, "text/html", b""), "redirects to 'elsewhere'"),
        ((403, "application/problem+json", b'{"detail": "viewers only look"}'), "may not do that: viewers only look"),
        ((429, "application/problem+json", b'{"detail": "slow down"}'), "can't take this now: slow down"),
    ],
)
def test_every_strange_answer_is_one_clear_line(
    run: Run, api: FakeApi, answer: tuple[int, str, bytes], said: str
) -> None:
    api.raw["/api/v1/links"] = answer
    ran = run("links", "--server", api.url)
    assert ran.status == 1
    assert said in ran.err
    assert ran.err.count("\n") == 1
