"""Fields that several parts write."""

import pytest

from hopline.http import Response
from hopline.http.fields import add_vary, set_default


@pytest.mark.parametrize(
    ("said", "added", "all_of_it"),
    [
        ([], ["origin", "accept"], ["origin, accept"]),
        (["Origin"], ["origin"], ["Origin"]),
        (["a, Origin"], ["origin", "b"], ["a, Origin", "b"]),
        (["a", "*"], ["origin"], ["a", "*"]),
    ],
)
def test_vary_says_each_name_once_and_nothing_beside_a_star(
    said: list[str], added: list[str], all_of_it: list[str]
) -> None:
    response = Response(headers=[("Vary", value) for value in said])
    add_vary(response, *added)

    assert [value for _, value in response.headers] == all_of_it


def test_a_default_yields_to_what_is_set_in_any_case() -> None:
    response = Response(headers=[("X-A", "1")])
    set_default(response, [("x-a", "2"), ("x-b", "3")])

    assert response.headers == [("X-A", "1"), ("x-b", "3")]
