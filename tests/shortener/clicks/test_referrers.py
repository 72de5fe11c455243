import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopline.shortener.clicks.referrers import campaign, primary_language, referrer_host
from hopline.shortener.clicks.values import clean

OWN = frozenset({"hop.example", "localhost"})


@pytest.mark.parametrize(
    ("referrer", "host"),
    [
        (b"", "(direct)"),
        (b"https://news.example/", "news.example"),
        (b"https://WWW.News.Example:8443/a?b#c", "news.example"),
        (b"http://user:secret@news.example/", "news.example"),
        (b"news.example/path", "(invalid)"),
        (b"android-app://com.google.android.gm/", "com.google.android.gm"),
        (b"https://xn--mnchen-3ya.example./", "xn--mnchen-3ya.example"),
        ("https://münchen.example/".encode(), "münchen.example"),
        (b"https://[2001:db8::1]:80/", "2001:db8::1"),
        (b"https://[broken/", "(invalid)"),
        (b"https://a b.example/", "(invalid)"),
        (b"https://<script>/", "(invalid)"),
        (b"https://hop.example/dashboard", "(direct)"),
        (b"http://localhost:8080/x", "(direct)"),
        (b"https://not-hop.example/", "not-hop.example"),
        (b"about:blank", "(invalid)"),
        (b"https://" + b"a" * 300 + b".example/", "a" * 100),
    ],
)
def test_a_referrer_is_its_host(referrer: bytes, host: str) -> None:
    assert referrer_host(referrer, OWN) == host


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (b"de-AT,de;q=0.9,en;q=0.8", "de"),
        (b"EN", "en"),
        (b" fr ; q=0.5", "fr"),
        (b"zh-Hant-TW", "zh"),
        (b"fil-PH", "fil"),
        (b"*", None),
        (b"", None),
        (b"x", None),
        (b"123", None),
        (b"<b>", None),
        (b"enormouslylong", None),
    ],
)
def test_a_language_is_its_primary_tag(header: bytes, language: str | None) -> None:
    assert primary_language(header) == language


@pytest.mark.parametrize(
    ("query", "values"),
    [
        (b"", (None, None, None)),
        (b"a=b", (None, None, None)),
        (b"utm_source=mail&utm_medium=e%20mail&utm_campaign=May+sale", ("mail", "e mail", "May sale")),
        (b"utm_source=first&utm_source=second", ("first", None, None)),
        (b"utm_source=&utm_medium=%0d%0a", (None, None, None)),
        (b"utm_source=%ff%00x", ("\N{REPLACEMENT CHARACTER}x", None, None)),
        (b"xutm_source=a&utm_sourcex=b", (None, None, None)),
        (b"utm_source=" + b"y" * 300, ("y" * 100, None, None)),
    ],
)
def test_a_campaign_is_read_from_the_query(query: bytes, values: tuple[str | None, ...]) -> None:
    assert campaign(query) == values


@given(st.binary(max_size=512))
def test_nothing_that_is_sent_raises_or_grows(text: bytes) -> None:
    for value in (referrer_host(text), referrer_host(b"https://" + text), primary_language(text)):
        assert value is None or (len(value) <= 100 and value.isprintable())
    for value in campaign(b"utm_source=" + text):
        assert value is None or (0 < len(value) <= 100 and value.isprintable())


@given(st.text(max_size=200))
def test_clean_text_is_printable_bounded_and_stays_as_it_is(text: str) -> None:
    cleaned = clean(text)
    assert len(cleaned) <= 100
    assert cleaned.isprintable()
    assert clean(cleaned) == cleaned
    cleaned.encode()  # no half surrogate pairs, which SQLite would refuse


def test_text_direction_can_not_be_turned() -> None:
    assert clean("abc\u202edef\u200b\x00\n\tghi\x7f") == "abcdef ghi"
