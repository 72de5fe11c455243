"""Signed tokens: a session in a cookie, and proofs that a form was ours.

A session token holds the id of the API key that was signed in with, and a nonce; it is signed with the folder's
secret.key and ends by itself after seven days. It grants nothing alone: whoever reads one looks the key up again,
so revoking a key ends its sessions at once.

A form is proven ours by a token computed from something only the page's visitor has, its binding: the nonce of
the session, or before signing in a random cookie (https://cheatsheetseries.owasp.org, "signed double submit").
"""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Final

from itsdangerous import BadData, Signer, TimestampSigner

from hopline.clock import Clock, SystemClock

__all__ = ["SESSION_SECONDS", "SessionSigner", "SessionToken"]

SESSION_SECONDS: Final = 7 * 86_400
SHORTEST_SECRET: Final = 16  # bytes
LONGEST_TOKEN: Final = 1024


@dataclass(frozen=True, slots=True)
class SessionToken:
    """What a session token says: which key signed in, and what its forms are bound to."""

    key_id: str
    nonce: str


class SessionSigner:
    """Makes and reads tokens under one secret. Thread-safe; any process with the secret reads what others made.

    ValueError for a secret so short (a file half written, say) that tokens could be forged.
    """

    def __init__(self, secret: bytes, clock: Clock | None = None) -> None:
        if len(secret) < SHORTEST_SECRET:
            raise ValueError(f"a secret of {len(secret)} bytes signs nothing; it must have {SHORTEST_SECRET} or more")
        self._sessions = _ClockSigner(secret, clock or SystemClock())
        self._forms = Signer(secret, b"hopline.form", key_derivation="hmac", digest_method=hashlib.sha256)

    def sign(self, said: SessionToken) -> str:
        """The token that says `said`; safe in a cookie as it is."""
        return self._sessions.sign(f"{said.key_id}.{said.nonce}").decode("ascii")

    def read(self, token: str) -> SessionToken | None:
        """What `token` says; None where it is forged, broken or over its time."""
        if len(token) > LONGEST_TOKEN:
            return None
        try:
            key_id, nonce = self._sessions.unsign(token, max_age=SESSION_SECONDS).decode("ascii").split(".")
        except (BadData, ValueError):
            return None
        return SessionToken(key_id, nonce)

    def new_binding(self) -> str:
        """Something only its holder knows: 128 random bits, safe in a cookie."""
        return secrets.token_urlsafe(16)

    def form_token(self, binding: str) -> str:
        """The proof that goes into a form shown to the holder of `binding`."""
        return self._forms.get_signature(binding).decode("ascii")

    def is_ours(self, binding: str, token: str) -> bool:
        """Whether a form with `token` was shown to the holder of `binding`; compared in constant time."""
        return bool(binding) and len(token) <= LONGEST_TOKEN and self._forms.verify_signature(binding, token)


class _ClockSigner(TimestampSigner):
    """A TimestampSigner by our clock."""

    def __init__(self, secret: bytes, clock: Clock) -> None:
        super().__init__(secret, b"hopline.session", key_derivation="hmac", digest_method=hashlib.sha256)
        self._clock = clock

    def get_timestamp(self) -> int:
        return int(self._clock.time())
