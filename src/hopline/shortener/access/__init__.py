"""Who may do what: API keys with roles, sessions of people who signed in with one, and proofs that a form is ours."""

from hopline.shortener.access.access import SESSION_COOKIE, Access, Session, check_role, session_cookie
from hopline.shortener.access.keys import ApiKeys, InvalidKey, KeyInfo, Role
from hopline.shortener.access.sessions import SessionSigner

__all__ = [
    "SESSION_COOKIE",
    "Access",
    "ApiKeys",
    "InvalidKey",
    "KeyInfo",
    "Role",
    "Session",
    "SessionSigner",
    "check_role",
    "session_cookie",
]
