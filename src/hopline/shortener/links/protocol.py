"""What the shortener may rely on in a store of links, whatever database is behind it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hopline.shortener.links.link import CodeTaken, Link, LinkChanges, LinkPage, LinkQuery, NewLink

__all__ = ["LinkStore", "LinkStoreStats"]


@dataclass(frozen=True, slots=True)
class LinkStoreStats:
    """Figures of one process's store; additive over processes."""

    created: int = field(metadata={"help": "Links committed"})
    updated: int = field(metadata={"help": "Changes committed"})
    deleted: int = field(metadata={"help": "Links deleted"})
    reads: int = field(metadata={"help": "Point reads and pages"})
    commits: int = field(metadata={"help": "Groups committed; created by commits is the mean group"})
    waiting: int = field(metadata={"kind": "gauge", "help": "Links waiting to be stored"})
    errors: int = field(metadata={"help": "Operations that ended in StoreUnavailable"})


class LinkStore(Protocol):
    """Links by code. Task-safe and process-safe; every method may raise StoreUnavailable, and then changed nothing.

    A write is durable when its method returns (fsync before the answer), and every process that shares the
    version table (versions.py) stops using what it cached of the code before that.
    """

    async def create(self, new: Sequence[NewLink]) -> list[Link | CodeTaken]:
        """Store `new` in one transaction; one answer each, in order. A code taken spoils only its own entry."""
        ...

    async def get(self, code: str) -> Link | None:
        """The link of `code` (normalised, see codes.py), expired ones included; None where there is none."""
        ...

    async def update(self, code: str, changes: LinkChanges) -> Link | None:
        """Apply `changes`; the link as it is now, or None where there is none."""
        ...

    async def delete(self, code: str) -> bool:
        """Remove the link; False where there was none. A computed code is never given out again."""
        ...

    async def page(self, query: LinkQuery) -> LinkPage:
        """One page of links, newest first."""
        ...

    def stats(self) -> LinkStoreStats:
        """A snapshot of this process's figures."""
        ...

    async def close(self) -> None:
        """Finish what is queued, then release files and threads. Idempotent."""
        ...
