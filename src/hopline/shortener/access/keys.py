"""API keys: made, listed and revoked in links.db, and looked up on every request that needs one.

A secret is "hop_" and 43 random characters (256 bits); only its SHA-256 is stored. A fast hash without salt is
right for a secret that can't be guessed, where it would be wrong for a password. The look-up by hash needs no
constant-time comparison: what its timing could tell of a stored hash can't be turned into a secret of that hash.

Nothing is cached: each look-up is a point read on a connection that its thread keeps, so a key that is revoked by
any process is refused by all of them with their next request. A look-up takes 9 µs, its hash included (measured).
"""

import hashlib
import logging
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote

from hopline.clock import Clock, SystemClock
from hopline.errors import HoplineError
from hopline.shortener.links.link import StoreUnavailable

__all__ = ["ApiKeys", "InvalidKey", "KeyInfo", "Role"]

log = logging.getLogger("hopline.access")

PREFIX: Final = "hop_"
LONGEST_NAME: Final = 100  # characters
LONGEST_SECRET: Final = 1000  # characters; longer ones aren't even hashed
TOUCH_INTERVAL: Final = 3_600_000  # ms between two writes of last_used_at
TOUCH_PAUSE: Final = 1.0  # seconds between two tries to write it, where someone else keeps writing
READ_TIMEOUT: Final = 0.25  # seconds a look-up may wait for SQLite; in WAL mode readers wait only in a recovery
WRITE_TIMEOUT: Final = 10.0  # seconds to wait for whoever writes


class InvalidKey(HoplineError, ValueError):
    """A key can't be made as asked."""


class Role(StrEnum):
    """What a key allows: a viewer looks, an editor also changes links, an admin may do everything."""

    VIEWER = "viewer"
    EDITOR = "editor"
    ADMIN = "admin"


_RANK: Final = {role: rank for rank, role in enumerate(Role)}


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """A key as far as it may be shown; times in ms since 1970, `last_used_at` true to the hour."""

    id: str
    name: str
    role: Role
    created_at: int
    last_used_at: int | None = None
    revoked_at: int | None = None

    @property
    def revoked(self) -> bool:
        """Whether it is refused."""
        return self.revoked_at is not None

    def may(self, role: str) -> bool:
        """Whether the key allows what `role` allows."""
        return _RANK[self.role] >= _RANK[Role(role)]


class ApiKeys:
    """The keys in one links.db. Thread-safe and process-safe; make one after a fork, never share it over one.

    What changes keys opens a connection for the moment; look-ups keep one a thread until `close()`. Every method
    raises StoreUnavailable where the database can't answer.
    """

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self._path = path
        self._clock = clock or SystemClock()
        self._mine = threading.local()
        self._lock = threading.Lock()  # guards _readers, which close() empties
        self._readers: list[sqlite3.Connection] = []
        self._next_touch = 0.0  # monotonic; racing threads may both try, which harms nothing

    def create(self, name: str, role: str) -> tuple[KeyInfo, str]:
        """A new key and its secret, which is nowhere to be had again. InvalidKey for a bad name or role."""
        secret = PREFIX + secrets.token_urlsafe(32)
        with self._writing() as connection:
            return self._insert(connection, name, role, secret), secret

    def ensure_admin(self, secret: str | None = None) -> str | None:
        """Make the first key where there was never any: its secret (`secret` if given); else None."""
        with self._writing() as connection:
            (exists,) = connection.execute(_statement("any_key")).fetchone()
            if not exists:
                secret = secret or PREFIX + secrets.token_urlsafe(32)
                self._insert(connection, "admin", Role.ADMIN, secret)
                return secret
        if secret is not None and self.verify(secret) is None:
            log.warning("the admin key that is set is not one of the keys here: it counts at the first start only")
        return None

    def list(self) -> Sequence[KeyInfo]:
        """All keys, revoked ones included, oldest first."""
        with self._writing() as connection:
            return [_info(row) for row in connection.execute(_statement("list_keys"))]

    def revoke(self, key_id: str) -> bool:
        """Refuse the key from now on, in every process; False where no active key has this id."""
        with self._writing() as connection:
            return connection.execute(_statement("revoke_key"), (self._now(), key_id)).rowcount == 1

    def verify(self, secret: str) -> KeyInfo | None:
        """The active key with this secret; notes, about once an hour, that it was used."""
        if len(secret) > LONGEST_SECRET:
            return None
        info = self._look_up("key_by_hash", _hash(secret))
        if info is not None and self._now() - (info.last_used_at or 0) >= TOUCH_INTERVAL:
            self._touch(info.id)
        return info

    def get(self, key_id: str) -> KeyInfo | None:
        """The active key with this id."""
        return self._look_up("key_by_id", key_id)

    def close(self) -> None:
        """Close what look-ups keep open, when none is under way. A later look-up opens it anew; idempotent."""
        with self._lock:
            readers, self._readers = self._readers, []
            self._mine = threading.local()
        for connection in readers:
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _now(self) -> int:
        return int(self._clock.time() * 1000)

    def _insert(self, connection: sqlite3.Connection, name: str, role: str, secret: str) -> KeyInfo:
        info = KeyInfo(secrets.token_hex(4), _checked_name(name), _checked_role(role), self._now())
        row = (info.id, _hash(secret), info.name, info.role.value, info.created_at)
        connection.execute(_statement("insert_key"), row)
        return info

    def _look_up(self, statement: str, value: str | bytes) -> KeyInfo | None:
        try:
            row = self._reader().execute(_statement(statement), (value,)).fetchone()
        except sqlite3.Error as exc:
            if "no such table" in str(exc):  # no key was ever made
                return None
            raise self._unavailable(exc) from exc
        return None if row is None else _info(row)

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._mine, "connection", None)
        if connection is None:
            # check_same_thread: close() comes from another thread, after the last look-up.
            address = f"file:{quote(str(self._path))}?mode=ro"
            connection = sqlite3.connect(
                address, uri=True, timeout=READ_TIMEOUT, isolation_level=None, check_same_thread=False
            )
            with self._lock:
                self._mine.connection = connection
                self._readers.append(connection)
        return connection

    def _touch(self, key_id: str) -> None:
        """Best effort, on the event loop: no waiting for a writer, no sync, no checkpoint; some 0.3 ms an hour."""
        now = self._clock.monotonic()
        if now < self._next_touch:
            return
        self._next_touch = now + TOUCH_PAUSE
        try:
            with self._connected(timeout=0.0) as connection:
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute("PRAGMA wal_autocheckpoint = 0")
                connection.execute(_statement("touch_key"), (self._now(), key_id))
        except sqlite3.Error:
            return  # someone writes just now, or the disk is full: the next use notes it

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One durable transaction, committed at its end."""
        try:
            with self._connected(WRITE_TIMEOUT) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                connection.executescript(_statement("schema"))
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                except BaseException:
                    connection.rollback()
                    raise
                connection.commit()
        except sqlite3.Error as exc:
            raise self._unavailable(exc) from exc

    @contextmanager
    def _connected(self, timeout: float) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path, timeout=timeout, isolation_level=None)
        try:
            yield connection
        finally:
            connection.close()

    def _unavailable(self, exc: sqlite3.Error) -> StoreUnavailable:
        return StoreUnavailable(f"API keys can't be read or written in {str(self._path)!r}: {exc}")


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _info(row: tuple[str, str, str, int, int | None, int | None]) -> KeyInfo:
    return KeyInfo(row[0], row[1], Role(row[2]), row[3], row[4], row[5])


def _checked_name(name: str) -> str:
    if not 1 <= len(name.strip()) <= LONGEST_NAME or not name.isprintable():
        raise InvalidKey(f"a key can't be named {name!r}; use 1 to {LONGEST_NAME} printable characters")
    return name.strip()


def _checked_role(role: str) -> Role:
    try:
        return Role(role)
    except ValueError as error:
        raise InvalidKey(f"there is no role {role!r}; choose one of {', '.join(reversed(Role))}") from error


@cache
def _statement(name: str) -> str:
    return files(__package__).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
