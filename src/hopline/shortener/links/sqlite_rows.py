"""Links in one SQLite connection: what a transaction does, without threads, queues or commits.

Codes are computed from ids, so a look-up of a generated code is a look-up by primary key. Custom codes stand in a
side table; a generated code that meets one of them is passed over.
"""

import secrets
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from unicodedata import normalize

from hopline.errors import HoplineError
from hopline.shortener.links.codes import CodePermutation
from hopline.shortener.links.link import CodeTaken, Keep, Link, LinkChanges, LinkPage, LinkQuery, NewLink
from hopline.shortener.links.statements import QUERIES, SCHEMA
from hopline.shortener.links.words import is_rude, looks_alike

__all__ = ["CodeTaste", "LinkRows", "SchemaTooNew", "connect", "prepare"]

SCHEMA_VERSION: Final = 1
BUSY_SECONDS: Final = 5.0
NEWEST: Final = 1 << 62


class SchemaTooNew(HoplineError):
    """The database was written by a later version, whose tables this one doesn't know."""


@dataclass(frozen=True, slots=True)
class CodeTaste:
    """Which generated codes are passed over."""

    avoid_lookalikes: bool = False
    avoid_rude: bool = True

    def dislikes(self, code: str) -> bool:
        return (self.avoid_lookalikes and looks_alike(code)) or (self.avoid_rude and is_rude(code))


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection with the settings that durability needs. For use by one thread at a time."""
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # an answered creation survives a power cut
    connection.execute("PRAGMA foreign_keys = ON")
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    return connection


def prepare(path: Path) -> CodePermutation:
    """Make the tables where they are missing; the database's permutation. SchemaTooNew, sqlite3.Error."""
    connection = connect(path)
    try:
        connection.execute("BEGIN IMMEDIATE")
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise SchemaTooNew(
                f"database {str(path)!r} has schema {version}, this version of hopline knows up to {SCHEMA_VERSION}; "
                "upgrade hopline, or restore a backup of its own"
            )
        for statement in SCHEMA.split(";"):
            connection.execute(statement)
        key = secrets.token_bytes(32)
        connection.execute("INSERT OR IGNORE INTO meta (key, value) VALUES ('permutation_key', ?)", (key,))
        connection.execute("INSERT OR IGNORE INTO counter (name, next) VALUES ('links', 0)")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
        (stored,) = connection.execute("SELECT value FROM meta WHERE key = 'permutation_key'").fetchone()
        return CodePermutation(stored)
    finally:
        connection.close()


class LinkRows:
    """Statements over one connection; the caller begins and commits. Not thread-safe."""

    def __init__(
        self, connection: sqlite3.Connection, permutation: CodePermutation, taste: CodeTaste, block_size: int
    ) -> None:
        self.connection = connection
        self._permutation = permutation
        self._taste = taste
        self._block_size = block_size
        self._next_id = 0
        self._end_id = 0

    def _one(self, name: str, **values: Any) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self.connection.execute(QUERIES[name], values).fetchone()
        return row

    def forget_lease(self) -> None:
        """After a rollback: the block may have been leased in what was rolled back."""
        self._next_id = self._end_id = 0

    def _next(self) -> int:
        """The next id of this process's block; a new block is leased in the transaction under way."""
        if self._next_id >= self._end_id:
            row = self._one("lease", size=self._block_size)
            self.connection.execute(QUERIES["note_lease"], {"size": self._block_size})
            if row is None:
                raise RuntimeError("bug: the counter has no row")
            self._end_id = row[0]
            self._next_id = self._end_id - self._block_size
        self._next_id += 1
        return self._next_id - 1

    def _fresh(self) -> tuple[int, str]:
        """An id whose code pleases and is nobody's."""
        while True:
            link_id = self._next()
            code = self._permutation.encode(link_id)
            if not self._taste.dislikes(code) and self._one("custom_taken", code=code) is None:
                return link_id, code

    def _taken(self, custom: str) -> bool:
        if self._one("custom_taken", code=custom) is not None:
            return True
        link_id = self._permutation.decode(custom)
        return link_id is not None and self._one("computed_taken", id=link_id) is not None

    def create(self, new: NewLink, now: int) -> Link | CodeTaken:
        """Store one link."""
        custom = new.custom_code
        if custom is not None and self._taken(custom):
            return CodeTaken(custom)
        link_id, code = (self._next(), custom) if custom is not None else self._fresh()
        self.connection.execute(
            QUERIES["insert_link"],
            {
                "id": link_id,
                "url": new.url,
                "now": now,
                "expires_at": new.expires_at,
                "user_id": new.user_id,
                "redirect_status": new.redirect_status,
                "custom_code": custom,
            },
        )
        if custom is not None:
            self.connection.execute(QUERIES["insert_custom"], {"code": custom, "id": link_id})
        return Link(
            link_id, code, new.url, now, now, new.expires_at, new.user_id, new.redirect_status, custom is not None
        )

    def get(self, code: str) -> Link | None:
        """The link of `code`."""
        link_id = self._permutation.decode(code)
        row = self._one("by_id", id=link_id) if link_id is not None else None
        if row is None:
            row = self._one("by_custom", code=code)
        return None if row is None else self._link(row)

    def _link(self, row: tuple[Any, ...]) -> Link:
        link_id, url, created_at, updated_at, expires_at, user_id, status, custom = row
        code = self._permutation.encode(link_id) if custom is None else custom
        return Link(link_id, code, url, created_at, updated_at, expires_at, user_id, status, custom is not None)

    def update(self, code: str, changes: LinkChanges, now: int) -> Link | None:
        """Apply `changes`; the link as it is then."""
        link = self.get(code)
        if link is None:
            return None
        values = {
            "id": link.id,
            "now": now,
            "url": link.url if isinstance(changes.url, Keep) else changes.url,
            "expires_at": link.expires_at if isinstance(changes.expires_at, Keep) else changes.expires_at,
            "user_id": link.user_id if isinstance(changes.user_id, Keep) else changes.user_id,
            "redirect_status": (
                link.redirect_status if isinstance(changes.redirect_status, Keep) else changes.redirect_status
            ),
        }
        self.connection.execute(QUERIES["update"], values)
        return self.get(code)

    def delete(self, code: str) -> bool:
        """Remove the link; a custom code is free then, a computed one is nobody's for good."""
        link = self.get(code)
        if link is None:
            return False
        self.connection.execute(QUERIES["delete"], {"id": link.id})
        if not link.custom:
            self.connection.execute(QUERIES["retire"], {"id": link.id})
        return True

    def page(self, query: LinkQuery) -> LinkPage:
        """One page, newest first."""
        search = normalize("NFC", query.search) if query.search else None
        values = {
            "before": NEWEST if query.before is None else query.before,
            "search": search,
            "search_id": self._permutation.decode(search) if search else None,
            "user_id": query.user_id,
            "limit": query.limit + 1,
        }
        name = "page" if query.user_id is None else "page_of_user"
        links = [self._link(row) for row in self.connection.execute(QUERIES[name], values)]
        more = len(links) > query.limit
        del links[query.limit :]
        return LinkPage(links, links[-1].id if more else None)
