import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopline.shortener.clicks.event import (
    HEAD,
    MAX_AGENT,
    MAX_LANGUAGE,
    MAX_QUERY,
    MAX_REFERRER,
    Click,
    pack,
    split_tail,
    unpack,
)

U64 = st.integers(0, 2**64 - 1)
CLICKS = st.builds(
    Click,
    time_ms=U64,
    link_id=U64,
    visitor=U64,
    country=st.binary(min_size=2, max_size=2),
    kind=st.integers(0, 255),
    agent=st.binary(max_size=MAX_AGENT),
    referrer=st.binary(max_size=MAX_REFERRER),
    language=st.binary(max_size=MAX_LANGUAGE),
    query=st.binary(max_size=MAX_QUERY),
)


def pack_click(click: Click) -> bytes:
    return pack(
        click.time_ms,
        click.link_id,
        click.visitor,
        click.country,
        click.kind,
        click.agent,
        click.referrer,
        click.language,
        click.query,
    )


@given(CLICKS)
def test_a_click_comes_back_as_it_was_packed(click: Click) -> None:
    assert unpack(pack_click(click)) == click


@given(CLICKS)
def test_a_tail_splits_into_its_strings(click: Click) -> None:
    tail = pack_click(click)[HEAD.size :]
    expected = (click.country, click.kind, click.agent, click.referrer, click.language, click.query)
    assert split_tail(tail) == expected


def test_strings_over_their_bound_are_cut_and_the_click_is_kept() -> None:
    long = b"x" * 5000
    click = unpack(pack(1, 2, 3, b"DE", 0, long, long, long, long))
    assert [len(text) for text in (click.agent, click.referrer, click.language, click.query)] == [512, 512, 64, 512]


@given(CLICKS, st.data())
def test_a_click_of_the_wrong_length_is_refused(click: Click, data: st.DataObject) -> None:
    payload = pack_click(click)
    with pytest.raises(ValueError, match="bytes"):
        unpack(payload[: data.draw(st.integers(0, len(payload) - 1))])
    with pytest.raises(ValueError, match="by its lengths"):
        unpack(payload + b"x")
