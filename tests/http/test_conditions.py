"""Conditions and ranges, by tables after RFC 9110."""

import pytest

from hopline.http.conditions import UNSATISFIABLE, Validators, precondition, selected_range

MODIFIED = 784_111_777  # Sun, 06 Nov 1994 08:49:37 GMT, the RFC's own
HAS = Validators('"a,b"', MODIFIED)
SAME = "Sun, 06 Nov 1994 08:49:37 GMT"
BEFORE = "Sun, 06 Nov 1994 08:49:36 GMT"
NOW = MODIFIED + 10


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, None),
        ({"if-none-match": '"a,b"'}, 304),
        ({"if-none-match": 'W/"a,b"'}, 304),
        ({"if-none-match": '"x", W/"y" ,, "a,b"'}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"a"'}, None),
        ({"if-none-match": "a,b"}, None),
        ({"if-none-match": '"x""a,b"'}, None),
        ({"if-none-match": '"a,b'}, None),
        ({"if-none-match": '"x"', "if-modified-since": SAME}, None),
        ({"if-modified-since": SAME}, 304),
        ({"if-modified-since": BEFORE}, None),
        ({"if-modified-since": "Sunday, 06-Nov-94 08:49:37 GMT"}, 304),
        ({"if-modified-since": "Sun Nov  6 08:49:37 1994"}, 304),
        ({"if-modified-since": "yesterday"}, None),
        ({"if-modified-since": "9" * 40}, None),
        ({"if-modified-since": "Sun, 99 Nov 1994 08:49:37 GMT"}, None),
        ({"if-modified-since": "Sun, 06 Nov 99999 08:49:37 GMT"}, None),
        ({"if-match": '"a,b"'}, None),
        ({"if-match": '"x", "a,b"'}, None),
        ({"if-match": "*"}, None),
        ({"if-match": 'W/"a,b"'}, 412),
        ({"if-match": '"x"'}, 412),
        ({"if-match": '"a,b"', "if-unmodified-since": BEFORE}, None),
        ({"if-match": '"x"', "if-none-match": '"a,b"'}, 412),
        ({"if-match": '"a,b"', "if-none-match": '"a,b"'}, 304),
        ({"if-unmodified-since": BEFORE}, 412),
        ({"if-unmodified-since": SAME}, None),
        ({"if-unmodified-since": "never"}, None),
    ],
)
def test_conditions(headers: dict[str, str], status: int | None) -> None:
    assert precondition(headers, HAS) == status


@pytest.mark.parametrize(
    ("asked", "size", "part"),
    [
        ("bytes=0-9", 100, range(10)),
        ("bytes=0-0", 100, range(1)),
        ("bytes=90-", 100, range(90, 100)),
        ("bytes=90-1000", 100, range(90, 100)),
        ("bytes=-10", 100, range(90, 100)),
        ("bytes=-1000", 100, range(100)),
        ("Bytes= 0-9 ", 100, range(10)),
        ("bytes=100-", 100, UNSATISFIABLE),
        ("bytes=-0", 100, UNSATISFIABLE),
        ("bytes=0-", 0, UNSATISFIABLE),
        ("bytes=-1", 0, UNSATISFIABLE),
        ("bytes=9-0", 100, None),
        ("bytes=-", 100, None),
        ("bytes=0-9,20-29", 100, None),
        ("bytes=+1-2", 100, None),
        ("bytes=1_0-20", 100, None),
        ("bytes=\u0661-2", 100, None),
        (f"bytes={'9' * 19}-", 100, None),
        (f"bytes={'9' * 18}-", 100, UNSATISFIABLE),
        ("lines=0-9", 100, None),
        ("bytes 0-9", 100, None),
        ("", 100, None),
    ],
)
def test_ranges(asked: str, size: int, part: range | None) -> None:
    selected = selected_range({"range": asked}, HAS, size, NOW)

    assert selected == part
    assert (selected is UNSATISFIABLE) == (part is UNSATISFIABLE)


@pytest.mark.parametrize(
    ("condition", "now", "holds"),
    [
        ('"a,b"', NOW, True),
        ('"x"', NOW, False),
        ('W/"a,b"', NOW, False),
        (SAME, NOW, True),
        (BEFORE, NOW, False),
        ("Sunday, 06-Nov-94 08:49:37 GMT", NOW, False),
        (SAME, MODIFIED + 0.5, False),
        ("", NOW, False),
    ],
)
def test_a_range_of_something_else_is_not_sent(condition: str, now: float, holds: bool) -> None:
    selected = selected_range({"range": "bytes=0-9", "if-range": condition}, HAS, 100, now)

    assert (selected == range(10)) == holds
