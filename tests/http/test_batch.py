"""Batches: who goes together and when, and that no request spoils another's answer."""

import asyncio
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopline.http import App, HTTPError, Request, Response
from hopline.http.batch import BatchStats, Outcome
from hopline.http.collector import BatchLimits, Collector
from tests.http.server import Server, read_all, read_until

ADD, LEAVE, TAKE, FINISH = range(4)


def collector(max_size: int = 3, max_wait: float = 1.0, max_pending: int = 8, concurrency: int = 1) -> Collector[int]:
    return Collector(BatchLimits(max_size, max_wait, max_pending, concurrency))


def test_a_lone_request_waits_max_wait_and_no_longer() -> None:
    queue = collector()
    queue.add(1, 10.0)

    assert queue.due() == 11.0
    assert queue.take(10.999) == []
    assert queue.take(11.0) == [(1, 1.0)]
    assert queue.due() is None


def test_a_full_batch_starts_at_once() -> None:
    queue = collector()
    for item in range(4):
        queue.add(item, 10.0)

    assert queue.is_full
    assert [item for item, _ in queue.take(10.0)] == [0, 1, 2]
    assert len(queue) == 1


def test_while_all_places_are_busy_the_rest_waits_and_then_goes_at_once() -> None:
    queue = collector()
    for item in range(5):
        queue.add(item, 10.0)
    queue.take(10.0)

    assert queue.due() is None
    assert queue.take(99.0) == []
    queue.finished()
    assert queue.take(11.5) == [(3, 1.5), (4, 1.5)]


def test_as_many_batches_run_as_there_are_places() -> None:
    queue = collector(concurrency=2)
    for item in range(8):
        queue.add(item, 10.0)

    assert [len(queue.take(10.0)) for _ in range(3)] == [3, 3, 0]


def test_over_max_pending_nobody_more_waits() -> None:
    queue = collector(max_pending=3)

    assert [queue.add(item, 10.0) for item in range(4)] == [True, True, True, False]
    assert queue.discard(1)
    assert not queue.discard(1)
    assert queue.add(4, 10.0)
    assert [item for item, _ in queue.take(10.0)] == [0, 2, 4]


def test_when_the_oldest_leaves_the_next_one_has_its_whole_wait() -> None:
    queue = collector()
    queue.add(1, 10.0)
    queue.add(2, 10.5)
    queue.discard(1)

    assert queue.due() == 11.5


def test_a_server_that_stops_waits_for_no_company() -> None:
    queue = collector(max_wait=60)
    queue.add(1, 10.0)
    queue.hurry()

    assert queue.take(10.0) == [(1, 0.0)]


@given(
    st.lists(st.tuples(st.sampled_from([ADD, LEAVE, TAKE, FINISH]), st.integers(0, 20), st.integers(0, 5))),
    st.integers(1, 4),
    st.integers(1, 3),
)
def test_every_request_is_taken_once_in_order_within_all_bounds(
    steps: list[tuple[int, int, int]], max_size: int, concurrency: int
) -> None:
    queue = collector(max_size, 3.0, 6, concurrency)
    model: list[tuple[int, float]] = []
    now, running = 0.0, 0
    for number, (what, whom, later) in enumerate(steps):
        now += later
        if what == ADD and queue.add(number, now):
            model.append((number, now))
        elif what == LEAVE:
            assert queue.discard(whom) == any(item == whom for item, _ in model)
            model = [entry for entry in model if entry[0] != whom]
        elif what == FINISH and running:
            queue.finished()
            running -= 1
        elif what == TAKE:
            starts = bool(model) and running < concurrency and (len(model) >= max_size or now >= model[0][1] + 3.0)
            expected = model[:max_size] if starts else []
            assert queue.take(now) == [(item, now - since) for item, since in expected]
            model = model[len(expected) :]
            running += starts
        assert len(queue) == len(model) <= 6


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"max_size": 0}, "max_size must be 1 or more, not 0"),
        ({"concurrency": 0}, "concurrency must be 1 or more, not 0"),
        ({"max_wait": -1}, "max_wait must be 0 to 60 s, not -1"),
        ({"max_wait": float("nan")}, "max_wait must be 0 to 60 s, not nan"),
        ({"max_size": 9, "max_pending": 8}, "max_pending 8 holds no batch of max_size 9; raise it"),
    ],
)
def test_bounds_that_can_not_work_are_refused_when_registered(wrong: dict[str, int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        App().batch("/", **wrong)  # type: ignore[arg-type]


class Model:
    """A batched route under test: what it was called with, and a gate that holds its calls."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.called = threading.Semaphore(0)
        self.gate = threading.Event()
        self.cancelled = threading.Event()

    async def predict(self, requests: list[Request]) -> list[Outcome]:
        self.calls.append([request.body.decode() for request in requests])
        self.called.release()
        if "hold" in self.calls[-1]:
            try:
                await asyncio.to_thread(self.gate.wait, 20)
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        if "short" in self.calls[-1]:
            return []
        return [self._answer(request.body) for request in requests]

    def _answer(self, body: bytes) -> Outcome:
        if body == b"raise":
            raise ZeroDivisionError("the whole batch")
        if body == b"raise-503":
            raise HTTPError(503, "the model is loading")
        odd: dict[bytes, Outcome] = {
            b"teapot": HTTPError(418, "a teapot"),
            b"broken": ZeroDivisionError("this one"),
            b"stop": StopIteration(),
            b"wrong": "no Response",  # type: ignore[dict-item]
        }
        return self._slow() if body == b"slow" else odd.get(body) or Response(b"answer to " + body)

    async def _slow(self) -> Response:
        await asyncio.to_thread(self.gate.wait, 20)
        return Response("slow but sure")


@pytest.fixture
def model() -> Iterator[Model]:
    made = Model()
    yield made
    made.gate.set()


@contextmanager
def serving(model: Model, **bounds: float) -> Iterator[Server]:
    app = App()
    app.batch("/predict", **bounds)(model.predict)  # type: ignore[arg-type]
    with Server(app) as server:
        yield server


def stats(server: Server) -> BatchStats:
    assert server.engine is not None
    [only] = server.engine.batch_stats()
    return only


def post(body: bytes) -> bytes:
    return b"POST /predict HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def ask(server: Server, stack: ExitStack, *bodies: bytes) -> list[socket.socket]:
    clients = []
    for body in bodies:
        clients.append(stack.enter_context(server.client()))
        clients[-1].sendall(post(body))
    return clients


def answers(clients: list[socket.socket]) -> list[tuple[int, bytes]]:
    whole = [read_all(client) for client in clients]
    return [(int(answer.split(b" ")[1]), answer.partition(b"\r\n\r\n")[2]) for answer in whole]


def wait_until_pending(server: Server, count: int) -> None:
    while stats(server).pending != count:
        pass


def test_requests_that_arrive_together_are_one_call_and_each_gets_its_own_answer(model: Model) -> None:
    with serving(model, max_size=3, max_wait=30) as server, ExitStack() as stack:
        got = answers(ask(server, stack, b"a", b"b", b"c"))

        assert got == [(200, b"answer to a"), (200, b"answer to b"), (200, b"answer to c")]
        assert [sorted(call) for call in model.calls] == [["a", "b", "c"]]
        assert (stats(server).batches, stats(server).requests, stats(server).sizes) == (1, 3, ((4, 1),))
        assert stats(server).waits.count == 3


def test_a_lone_request_is_answered_after_max_wait(model: Model) -> None:
    with serving(model, max_wait=0.05) as server, ExitStack() as stack:
        assert answers(ask(server, stack, b"a")) == [(200, b"answer to a")]
        assert 0.049 < stats(server).waits.quantile(1.0) < 5


def test_without_a_wait_an_idle_server_answers_at_once(model: Model) -> None:
    with serving(model, max_wait=0) as server, ExitStack() as stack:
        assert answers(ask(server, stack, b"a")) == [(200, b"answer to a")]


def test_a_plain_function_can_be_the_handler() -> None:
    app = App()
    app.batch("/predict")(lambda requests: [Response(str(len(requests))) for _ in requests])
    with Server(app) as server:
        assert server.talk(post(b"a")).endswith(b"\r\n\r\n1")


def test_an_item_that_fails_spoils_only_itself(model: Model, caplog: pytest.LogCaptureFixture) -> None:
    with serving(model, max_size=5, max_wait=30) as server, ExitStack() as stack:
        got = answers(ask(server, stack, b"teapot", b"fine", b"broken", b"stop", b"wrong"))

    assert [status for status, _ in got] == [418, 200, 500, 500, 500]
    assert got[1] == (200, b"answer to fine")
    assert stats(server).failed == 0
    assert "must answer a Response for each request, not str" in caplog.text


@pytest.mark.parametrize("bad", [b"raise", b"short"])
def test_a_handler_that_fails_fails_its_batch_and_is_logged_once(
    model: Model, bad: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(model, max_size=2, max_wait=0.05) as server, ExitStack() as stack:
        assert [status for status, _ in answers(ask(server, stack, b"a", bad))] == [500, 500]
        assert answers(ask(server, stack, b"next")) == [(200, b"answer to next")]
        assert stats(server).failed == 1

    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_an_http_error_for_the_whole_batch_is_everybodys_answer(model: Model, caplog: pytest.LogCaptureFixture) -> None:
    with serving(model, max_size=2, max_wait=30) as server, ExitStack() as stack:
        got = answers(ask(server, stack, b"a", b"raise-503"))

    assert [status for status, _ in got] == [503, 503]
    assert b"the model is loading" in got[0][1]
    assert not caplog.records


def test_a_slow_item_holds_neither_its_neighbours_nor_the_next_batch(model: Model) -> None:
    with serving(model, max_size=2, max_wait=0.05) as server, ExitStack() as stack:
        slow, quick = ask(server, stack, b"slow", b"quick")
        assert answers([quick]) == [(200, b"answer to quick")]
        assert answers(ask(server, stack, b"next")) == [(200, b"answer to next")]
        model.gate.set()
        assert answers([slow]) == [(200, b"slow but sure")]


def test_who_comes_while_all_places_are_busy_goes_into_the_next_batch(model: Model) -> None:
    with serving(model, max_size=10, max_wait=0) as server, ExitStack() as stack:
        first = ask(server, stack, b"hold")
        assert model.called.acquire(timeout=10)
        rest = ask(server, stack, b"a", b"b", b"c")
        wait_until_pending(server, 3)
        model.gate.set()

        assert {status for status, _ in answers(first + rest)} == {200}
        assert [sorted(call) for call in model.calls] == [["hold"], ["a", "b", "c"]]


def test_over_max_pending_requests_are_refused_with_503(model: Model) -> None:
    with serving(model, max_size=1, max_wait=0, max_pending=2) as server, ExitStack() as stack:
        held = ask(server, stack, b"hold")
        assert model.called.acquire(timeout=10)
        waiting = ask(server, stack, b"a", b"b")
        wait_until_pending(server, 2)
        refused = server.talk(post(b"c"))
        assert refused.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 1\r\n" in refused
        assert stats(server).refused == 1
        model.gate.set()
        assert {status for status, _ in answers(held + waiting)} == {200}


def test_who_has_gone_before_its_batch_starts_is_left_out(model: Model) -> None:
    with serving(model, max_size=10, max_wait=0) as server, ExitStack() as stack:
        held = ask(server, stack, b"hold")
        assert model.called.acquire(timeout=10)
        gone, _ = ask(server, stack, b"gone", b"stays")
        wait_until_pending(server, 2)
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        gone.close()
        wait_until_pending(server, 1)
        model.gate.set()
        answers(held)
        assert model.called.acquire(timeout=10)

        assert model.calls == [["hold"], ["stays"]]
        assert stats(server).left == 1


def test_who_leaves_while_its_batch_runs_spoils_no_neighbour(model: Model) -> None:
    with serving(model, max_size=3, max_wait=30) as server, ExitStack() as stack:
        gone, slow, stays = ask(server, stack, b"hold", b"slow", b"stays")
        assert model.called.acquire(timeout=10)
        for client in (gone, slow):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
        while server.stats().connections > 1:
            pass
        model.gate.set()

        assert answers([stays]) == [(200, b"answer to stays")]


def test_a_drain_starts_what_waits_and_answers_it(model: Model) -> None:
    with serving(model, max_size=10, max_wait=60) as server, ExitStack() as stack:
        clients = ask(server, stack, b"a", b"b")
        wait_until_pending(server, 2)

        assert server.drain(10.0) == 0
        assert answers(clients) == [(200, b"answer to a"), (200, b"answer to b")]


def test_a_batch_that_outlasts_the_drain_is_cancelled(model: Model) -> None:
    with serving(model, max_wait=0) as server, ExitStack() as stack:
        ask(server, stack, b"hold")
        assert model.called.acquire(timeout=10)

        assert server.drain(0.2) == 1
        assert model.cancelled.is_set()
        model.gate.set()


def test_pipelined_requests_are_answered_in_order(model: Model) -> None:
    keep = [post(body).replace(b"Connection: close\r\n", b"") for body in (b"a", b"b")]
    with serving(model, max_wait=0.001) as server, server.client() as client:
        client.sendall(b"".join(keep))
        answer = read_until(client, b"answer to b")

    assert answer.index(b"answer to a") < answer.index(b"answer to b")
