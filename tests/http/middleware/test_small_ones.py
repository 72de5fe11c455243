"""Request ids, security headers and time-outs."""

import asyncio
import threading

import pytest

from hopline.http import App, Middleware, Request, Response, request_id, security_headers, timeout
from tests.http.asking import ask
from tests.http.server import Server


def make_app(*middleware: Middleware) -> App:
    app = App()

    @app.get("/id")
    def show(request: Request) -> Response:
        return Response(request.state.get("request_id", ""), headers=[("x-frame-options", "SAMEORIGIN")])

    for one in middleware:
        app.use(one)
    return app


def test_a_safe_id_is_kept_and_any_other_is_replaced() -> None:
    with Server(make_app(request_id())) as server:
        kept = ask(server, "/id", {"X-Request-Id": "abc-1.2_Z"})
        assert kept.body == b"abc-1.2_Z"
        assert kept.headers["x-request-id"] == "abc-1.2_Z"
        for sent in ('a"b', "a b", "a" * 129, "", "\xe9", "a,b"):
            made = ask(server, "/id", {"X-Request-Id": sent})
            assert made.body.decode() == made.headers["x-request-id"]
            assert len(made.body) == 32


def test_an_id_is_always_made_where_none_is_accepted() -> None:
    with Server(make_app(request_id(accept=False, header="X-Trace", make=lambda: "made"))) as server:
        assert ask(server, "/id", {"X-Trace": "abc"}).headers["x-trace"] == "made"


def test_a_header_must_be_a_field_name() -> None:
    with pytest.raises(ValueError, match="'x y' is not a field name"):
        request_id(header="x y")


def test_security_headers_leave_what_the_handler_has_set() -> None:
    with Server(make_app(security_headers(hsts=60, hsts_subdomains=True, referrer_policy=None))) as server:
        headers = ask(server, "/id").headers

    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["strict-transport-security"] == "max-age=60; includeSubDomains"
    assert "referrer-policy" not in headers
    assert "content-security-policy" not in headers
    with pytest.raises(ValueError, match="can't be negative"):
        security_headers(hsts=-1)


def test_a_handler_out_of_time_is_cancelled_and_answered_503() -> None:
    app = make_app(timeout(0.05, retry_after=7))
    cancelled = threading.Event()

    @app.get("/slow")
    async def slow(request: Request) -> Response:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return Response("late")

    @app.get("/own")
    async def own(request: Request) -> Response:
        await asyncio.sleep(0)
        raise TimeoutError("the handler's own")

    with Server(app) as server:
        answer = ask(server, "/slow")
        assert answer.status == 503
        assert answer.headers["retry-after"] == "7"
        assert b"within 0.05 s" in answer.body
        assert cancelled.is_set()
        assert ask(server, "/own").status == 500
        assert ask(server, "/id").status == 200


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan")])
def test_a_timeout_is_a_finite_time(seconds: float) -> None:
    with pytest.raises(ValueError, match="more than 0 s and finite"):
        timeout(seconds)
