"""Session tokens and form tokens: what is ours, for how long, and bound to whom."""

import pytest

from hopline.clock import ManualClock
from hopline.shortener.access import SessionSigner
from hopline.shortener.access.sessions import SESSION_SECONDS, SessionToken

SECRET = b"s" * 32


def test_a_token_says_what_was_signed_to_whoever_has_the_secret() -> None:
    clock = ManualClock()
    token = SessionSigner(SECRET, clock).sign(SessionToken("4f3a", "nonce-_"))

    assert SessionSigner(SECRET, clock).read(token) == SessionToken("4f3a", "nonce-_")
    assert SessionSigner(b"t" * 32, clock).read(token) is None


def test_a_token_ends_after_seven_days() -> None:
    clock = ManualClock()
    signer = SessionSigner(SECRET, clock)
    token = signer.sign(SessionToken("4f3a", "nonce"))

    clock.advance(SESSION_SECONDS)
    assert signer.read(token) is not None
    clock.advance(1)
    assert signer.read(token) is None


def test_a_token_changed_anywhere_is_no_token() -> None:
    signer = SessionSigner(SECRET, ManualClock())
    token = signer.sign(SessionToken("4f3a", "nonce"))

    for place, character in enumerate(token[:-1]):  # the last character of base64 has bits that mean nothing
        other = "A" if character != "A" else "B"
        assert signer.read(token[:place] + other + token[place + 1 :]) is None
        assert signer.read(token[:place]) is None


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c.d", "é.é.é.é", "\udc80", "x" * 100_000, "." * 1000])
def test_what_is_no_token_is_refused_quietly(token: str) -> None:
    assert SessionSigner(SECRET, ManualClock()).read(token) is None


def test_a_form_is_ours_only_for_whoever_it_was_shown_to() -> None:
    signer = SessionSigner(SECRET)
    mine, yours = signer.new_binding(), signer.new_binding()
    token = signer.form_token(mine)

    assert signer.is_ours(mine, token)
    assert not signer.is_ours(yours, token)
    assert not signer.is_ours(mine, "")
    assert not signer.is_ours(mine, token[:-2])
    assert not signer.is_ours(mine, "é" * 43)
    assert not signer.is_ours("", signer.form_token(""))
    assert not SessionSigner(b"t" * 32).is_ours(mine, token)


def test_a_session_token_is_no_form_token() -> None:
    signer = SessionSigner(SECRET, ManualClock())
    token = signer.sign(SessionToken("4f3a", "nonce"))
    value, _, signature = token.rpartition(".")

    assert not signer.is_ours(value, signature)


def test_a_secret_that_is_hardly_there_signs_nothing() -> None:
    with pytest.raises(ValueError, match="a secret of 0 bytes signs nothing; it must have 16 or more"):
        SessionSigner(b"")
