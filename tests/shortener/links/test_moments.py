"""Moments as they are written and stored."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopline.shortener.links import moments


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2030-12-31T23:59:00Z", "2030-12-31T23:59:00.000Z"),
        ("2030-12-31T23:59:00+01:00", "2030-12-31T22:59:00.000Z"),
        ("2030-12-31T23:59:00-0330", "2031-01-01T03:29:00.000Z"),
        ("2030-12-31 23:59", "2030-12-31T23:59:00.000Z"),
        ("2030-12-31", "2030-12-31T00:00:00.000Z"),
        ("2030-12-31T23:59:59.123456Z", "2030-12-31T23:59:59.123Z"),
        ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
    ],
)
def test_a_moment_is_the_same_wherever_it_is_read(text: str, written: str | None) -> None:
    ms = moments.parse(text)

    if written is not None:
        assert moments.iso(ms) == written


@pytest.mark.parametrize(
    "text", ["", "soon", "2030-02-30", "12/31/2030", "2030-12-31T25:00Z", "1893456000", "२०३०-१२-३१"]
)
def test_what_names_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        moments.parse(text)


def test_the_time_zone_of_the_machine_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "EST5")
    time.tzset()
    try:
        assert moments.iso(moments.parse("2030-12-31T23:59")) == "2030-12-31T23:59:00.000Z"
    finally:
        monkeypatch.undo()
        time.tzset()


@given(st.integers(0, moments.LAST_MOMENT))
def test_what_is_written_reads_back(ms: int) -> None:
    assert moments.parse(moments.iso(ms)) == ms
