"""What a worker counts, told by what was sent to it."""

import asyncio
import threading
from dataclasses import dataclass

import pytest

from hopline.http import App, HTTPError, Request, Response
from hopline.http.figures import MAX_SERIES, Figures, RouteStats, connection_stats
from hopline.http.head import ConnectionInfo, Head
from hopline.http.phase import Phase
from hopline.metrics import merge, render
from tests.http.server import Server, read_until

GET = b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n"


def make_app(gate: threading.Event | None = None) -> App:
    app = App()
    app.raw(lambda head: b"HTTP/1.1 204 No Content\r\n" if head.target == b"/raw" else None)
    app.get("/users/{name}")(lambda request: Response("hello"))

    @app.get("/teapot")
    async def teapot(request: Request) -> Response:
        raise HTTPError(418)

    @app.get("/held")
    async def held(request: Request) -> Response:
        assert gate is not None
        await asyncio.to_thread(gate.wait, 20)
        return Response("held")

    @app.batch("/predict", max_wait=0)
    def predict(requests: list[Request]) -> list[Response]:
        return [Response("one of a batch") for _ in requests]

    return app


def routes(server: Server) -> dict[tuple[str, str, str], int]:
    assert server.engine is not None
    stats = server.engine.route_stats()
    return {(one.route, one.method, one.status): one.duration.count for one in stats}


def test_answers_are_counted_by_pattern_method_and_class_of_status() -> None:
    with Server(make_app()) as server:
        paths = (b"/users/ann", b"/users/bob", b"/teapot", b"/nowhere/1", b"/nowhere/2", b"/raw")
        server.talk(b"".join(GET % path for path in paths) + b"HEAD /users/eve HTTP/1.1\r\nHost: h\r\n\r\n")

        assert routes(server) == {
            ("/users/{name}", "GET", "2xx"): 2,
            ("/teapot", "GET", "4xx"): 1,
            ("unrouted", "GET", "4xx"): 2,
            ("/users/{name}", "HEAD", "2xx"): 1,
        }


def test_methods_that_no_route_takes_have_one_label() -> None:
    with Server(make_app()) as server:
        methods = (b"PROPFIND", b"REPORT", b"MKCOL")
        server.talk(b"".join(b"%s /x HTTP/1.1\r\nHost: h\r\n\r\n" % method for method in methods))
        assert routes(server) == {("unrouted", "other", "4xx"): 3}


def test_series_are_bounded_whatever_sets_a_label() -> None:
    figures = Figures()
    request = Request(Head(ConnectionInfo()))
    request.method = "GET"
    for number in range(MAX_SERIES + 10):
        request.route = f"/{number}"
        figures.answered(request, 200)

    stats = figures.route_stats()
    assert len(stats) == MAX_SERIES + 1
    assert (stats[-1].route, stats[-1].duration.count) == ("other", 10)


def test_a_handlers_time_is_in_its_routes_histogram() -> None:
    gate = threading.Event()
    with Server(make_app(gate)) as server, server.client() as client:
        client.sendall(GET % b"/held")
        while server.stats().in_flight != 1:
            pass
        assert not gate.wait(0.05)
        gate.set()
        read_until(client, b"held")
        assert server.engine is not None
        [held] = server.engine.route_stats()

        assert 0.05 <= held.duration.quantile(1.0) < 10
        assert server.stats().in_flight == 0


def test_bytes_and_reuse_are_counted_on_raw_routes_too() -> None:
    with Server(make_app()) as server:
        sent = [GET % b"/raw" * 3, GET % b"/users/ann"]
        got = [server.talk(data) for data in sent]
        server.talk(b"")
        stats = server.stats()

        assert (stats.bytes_in, stats.bytes_out) == (sum(map(len, sent)), sum(map(len, got)))
        assert (stats.accepted, stats.used) == (3, 2)
        assert (stats.requests_per_connection, stats.reuse_ratio) == (2.0, 0.5)


@dataclass
class Watched:
    opened_at: float
    phase: Phase


def test_connections_are_told_by_phase_and_age() -> None:
    open_now = [Watched(100.0, Phase.IDLE), Watched(99.5, Phase.IDLE), Watched(95.0, Phase.IDLE)]
    open_now += [Watched(-9000.0, Phase.HANDLER)]

    stats = connection_stats(open_now, 100.0)

    assert [(one.phase, one.age, one.connections) for one in stats] == [
        ("idle", "1", 2),
        ("idle", "10", 1),
        ("handler", "+Inf", 1),
    ]


def test_a_loop_that_was_held_shows_in_the_lag() -> None:
    held = threading.Event()
    with Server(make_app()) as server:
        while server.stats().loop_lag.count == 0:  # the next tick is now a second away
            held.wait(0.01)
        server.loop.call_soon_threadsafe(lambda: held.wait(1.2))
        while server.stats().loop_lag.count == 1:
            held.wait(0.01)

        assert 0.1 < server.stats().max_loop_lag < 10


def test_a_snapshot_has_all_figures_and_adds_up() -> None:
    with Server(make_app()) as server, server.client() as client:
        client.sendall(b"POST /predict HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
        read_until(client, b"one of a batch")
        server.talk(b"GET / HTTP/1.1\r\n\r\n")
        assert server.engine is not None
        snapshot = server.engine.snapshot()
    pytest.importorskip("prometheus_client")
    text = render(merge([snapshot, snapshot])).decode()

    label = 'method="POST",route="/predict",status="2xx"'
    assert f"hopline_http_route_duration_count{{{label}}} 2.0" in text
    assert 'hopline_http_open_connections{age="1",phase="idle"} 2.0' in text
    assert 'hopline_http_batch_sizes_total{route="/predict",size="1"} 2.0' in text
    assert 'hopline_http_broken_rules_total{rule="host-count"} 2.0' in text
    assert "hopline_http_loop_lag_count" in text
    assert isinstance(server.engine.route_stats()[0], RouteStats)
