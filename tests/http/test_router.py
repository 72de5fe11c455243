"""Which handler a path finds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopline.http import RouteError
from hopline.http.router import Found, MethodMissing, Router


def router(*patterns: str, method: str = "GET") -> Router[str]:
    made: Router[str] = Router()
    for pattern in patterns:
        made.add(method, pattern, pattern)
    return made


PATTERNS = (
    "/",
    "/links",
    "/links/bulk",
    "/links/{code}",
    "/links/{id:int}",
    "/links/{code:path}/stats",
    "/links/{code:path}",
    "/{code:path}",
)


@pytest.mark.parametrize(
    ("path", "pattern", "params"),
    [
        (b"/", "/", {}),
        (b"/links", "/links", {}),
        (b"/links/bulk", "/links/bulk", {}),
        (b"/links/abc", "/links/{code}", {"code": "abc"}),
        (b"/links/12", "/links/{id:int}", {"id": 12}),
        (b"/links/abc/stats", "/links/{code:path}/stats", {"code": "abc"}),
        (b"/links/a/b/stats", "/links/{code:path}/stats", {"code": "a/b"}),
        (b"/links/a%2Fstats", "/links/{code}", {"code": "a/stats"}),
        (b"/links/a/b", "/links/{code:path}", {"code": "a/b"}),
        (b"/links/stats", "/links/{code}", {"code": "stats"}),
        (b"/other", "/{code:path}", {"code": "other"}),
        (b"/%E6%BC%A2/x", "/{code:path}", {"code": "\u6f22/x"}),
        (b"/links/", "/{code:path}", {"code": "links/"}),
    ],
)
def test_the_most_literal_pattern_answers(path: bytes, pattern: str, params: dict[str, object]) -> None:
    assert router(*PATTERNS).match("GET", path) == Found(pattern, params)


def test_unknown_path_finds_nothing() -> None:
    assert router("/a", "/b/{x}").match("GET", b"/b") is None
    assert router("/a", "/b/{x}").match("GET", b"/b/") is None


def test_head_is_answered_by_get_and_other_methods_are_named() -> None:
    made = router("/a")
    made.add("DELETE", "/a", "gone")

    assert made.match("HEAD", b"/a") == Found("/a", {})
    assert made.match("DELETE", b"/a") == Found("gone", {})
    assert made.match("POST", b"/a") == MethodMissing("DELETE, GET, HEAD, OPTIONS")


def test_a_method_missing_at_the_literal_route_may_be_found_at_a_wider_one() -> None:
    made = router("/{code:path}")
    made.add("POST", "/shorten", "post")

    assert made.match("GET", b"/shorten") == Found("/{code:path}", {"code": "shorten"})


@pytest.mark.parametrize("pattern", ["a", "/x{y}", "/{a}/{a}", "/{a:float}", "/{a:path}/{b}", "/{}"])
def test_a_pattern_that_can_not_work_is_refused_when_registered(pattern: str) -> None:
    with pytest.raises(RouteError):
        router(pattern)


def test_a_route_registered_twice_is_refused() -> None:
    with pytest.raises(RouteError, match="twice"):
        router("/a", "/a")
    with pytest.raises(RouteError, match="other parameter names"):
        router("/{a}", "/{b}").match("GET", b"/x")


def test_a_deep_path_costs_no_more_than_its_bound() -> None:
    assert router("/{x:path}").match("GET", b"/a" * 5000) is None


@given(st.binary(max_size=60))
def test_no_path_breaks_the_router(path: bytes) -> None:
    found = router(*PATTERNS).match("GET", b"/" + path)

    assert found is None or isinstance(found, Found)
