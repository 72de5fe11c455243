"""Ours and h11 see the same requests; the long form is `make soak` or `python -m tests.http.fuzz --minutes 30`."""

import pytest

from tests.http.fuzz import Tally, check, fuzz


def assert_sound(tally: Tally) -> None:
    assert not tally.differences, "\n".join(tally.differences)
    assert tally.both >= 0.2 * tally.cases, f"the generator is at fault: {tally}"


def test_ours_and_h11_see_the_same_requests() -> None:
    assert_sound(fuzz(5.0, seed=1))


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_ours_and_h11_see_the_same_requests_for_half_an_hour() -> None:
    assert_sound(fuzz(1800.0, seed=2))


def test_the_rfc_is_the_excuse() -> None:
    tally = Tally()
    for stream in (
        b"\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1 ;a=b\r\nx\r\n0\r\n\r\n",
    ):
        check(stream, tally)

    assert not tally.differences
    assert len(tally.excused) == 3
