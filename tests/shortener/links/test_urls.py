"""What may be a link's address, and how it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopline.shortener.links.link import InvalidLink
from hopline.shortener.links.urls import UrlRules, normalise_url

RULES = UrlRules(frozenset({"sho.rt", "127.0.0.1:8080"}), max_length=500)


@pytest.mark.parametrize(
    ("raw", "written"),
    [
        ("http://EXAMPLE.com", "http://example.com/"),
        ("  https://example.com:443/a?b#c  ", "https://example.com/a?b#c"),
        ("https://b\u00fccher.example/\u00fc?q=\u00fc#\u00fc", "https://xn--bcher-kva.example/%C3%BC?q=%C3%BC#%C3%BC"),
        ("http://fa\u00df.de/", "http://xn--fa-hia.de/"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://[2001:DB8:0:0::1]:80/a b", "http://[2001:db8::1]/a%20b"),
        ("http://a.example/../b/./c/%2e%2E/d", "http://a.example/b/d"),
        ("http:\\\\a.example\\b", "http://a.example/b"),
        ("http://a.example/%zz%41", "http://a.example/%zz%41"),
        ("http://a.example/a^b?c^d", "http://a.example/a%5Eb?c^d"),  # Node 20 keeps the first, as the standard once did
        ("http://a.example?q='<>\"", "http://a.example/?q=%27%3C%3E%22"),
        ("http://127.0.0.1:9090/", "http://127.0.0.1:9090/"),
    ],
)
def test_addresses_are_written_as_a_browser_requests_them(raw: str, written: str) -> None:
    assert normalise_url(raw, RULES) == written


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", "needed"),
        ("example.com", "must begin with"),
        ("javascript:alert(1)", "javascript"),
        ("data:text/html,x", "data"),
        ("ftp://example.com/", "ftp"),
        ("http://example.com/\r\nset-cookie: a=b", "control characters"),
        ("http://example.com/\tx", "control characters"),
        ("http://example.com/\0", "control characters"),
        ("http://example.com/\x85", "control characters"),
        ("http://user:secret@example.com/", "password"),
        ("http://user@example.com/", "password"),
        ("http://", "no host"),
        ("http:///", "no host"),
        ("http://%s/", "host name"),
        ("http://exa mple.com/", "host name"),
        ("http://a..b/", "empty part"),
        ("http://" + "a" * 64 + ".example/", "63"),
        ("http://xn--a/", "punycode"),
        ("http://1.2.3.4.5/", "IPv4"),
        ("http://1.2.3.256/", "IPv4"),
        ("http://%08\u200d/", "joins nothing"),
        ("http://[::1/", "bracket"),
        ("http://[1::2::3]/", "IPv6"),
        ("http://a.example:99999/", "port"),
        ("http://a.example:8a/", "port"),
        ("https://sho.rt/abc", "circle"),
        ("https://SHO.RT:443/abc", "circle"),
        ("http://127.0.0.1:8080/", "circle"),
        ("http://0177.0.0.1:8080/", "circle"),
        ("http://a.example/" + "x" * 500, "characters"),
        ("http://a.example/" + "\u6f22" * 100, "written out"),
        ("http://a.example/\ud800", "surrogate"),
    ],
)
def test_addresses_that_can_not_be_links_are_refused_with_a_reason(raw: str, reason: str) -> None:
    with pytest.raises(InvalidLink, match=reason) as caught:
        normalise_url(raw, RULES)

    assert caught.value.field == "url"


def test_credentials_are_taken_where_allowed() -> None:
    rules = UrlRules(allow_credentials=True)

    assert normalise_url("http://us er:p@ss@a.example/", rules) == "http://us%20er:p%40ss@a.example/"


_TEXT = "http:|https:|/|//|\\|@|:|?|#|[|]|::|.|..|%|%2e|a|1|0x|xn--| |example.com"
PIECES = st.sampled_from([*_TEXT.split("|"), "\u00fc", "\u0301", "\u200d", "\u3002", "\u05d0", "\u00c9", "\ud800"])
JUMBLES = st.lists(PIECES, max_size=12).map("".join)


@given(st.one_of(st.text(max_size=60), JUMBLES, JUMBLES.map(lambda jumble: "http://" + jumble)))
def test_whatever_is_typed_is_refused_or_safe_to_send(raw: str) -> None:
    try:
        written = normalise_url(raw, RULES)
    except InvalidLink:
        return

    assert written.isascii()
    assert not set(written) & set(map(chr, range(33)))
    assert written.startswith(("http://", "https://"))
    assert normalise_url(written, RULES) == written
