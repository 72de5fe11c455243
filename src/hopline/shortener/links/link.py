"""A short link and what is asked of a store of them: values only.

Times are milliseconds since 1970-01-01 UTC. A link lives under `id`, a value of the counter; its code is
computed from the id (see codes.py) unless it is a custom one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hopline.errors import HoplineError

__all__ = [
    "KEEP",
    "REDIRECT_STATUSES",
    "CodeTaken",
    "InvalidLink",
    "Keep",
    "Link",
    "LinkChanges",
    "LinkPage",
    "LinkQuery",
    "NewLink",
    "StoreUnavailable",
]

REDIRECT_STATUSES: Final = (301, 302, 307, 308)


class InvalidLink(HoplineError, ValueError):
    """What the caller sent can't become a link; `field` names the input that is at fault."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason


class StoreUnavailable(HoplineError):
    """The store can't answer now; trying again after `retry_after` seconds may succeed."""

    def __init__(self, reason: str, retry_after: int = 1) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Link:
    """A stored link. `custom` says whether the code was chosen by its owner or computed from the id."""

    id: int
    code: str
    url: str
    created_at: int
    updated_at: int
    expires_at: int | None
    user_id: str | None
    redirect_status: int
    custom: bool


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link to be stored; everything in it has already been validated and normalised."""

    url: str
    custom_code: str | None = None
    user_id: str | None = None
    expires_at: int | None = None
    redirect_status: int = 302


@dataclass(frozen=True, slots=True)
class CodeTaken:
    """The answer for a new link whose custom code belongs to another link."""

    code: str


class Keep:
    """The type of KEEP: "leave as it is", where None means "set to nothing"."""

    def __repr__(self) -> str:
        return "KEEP"


KEEP: Final = Keep()


@dataclass(frozen=True, slots=True)
class LinkChanges:
    """What a PATCH changes; a field left at KEEP stays as it is."""

    url: str | Keep = KEEP
    user_id: str | Keep | None = KEEP
    expires_at: int | Keep | None = KEEP
    redirect_status: int | Keep = KEEP


@dataclass(frozen=True, slots=True)
class LinkQuery:
    """Which links to list, newest first: `before` is the cursor (ids below it), `search` a part of code or URL."""

    limit: int = 50
    before: int | None = None
    search: str | None = None
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class LinkPage:
    """One page of links; `next_before` is the next page's cursor, None on the last page."""

    links: Sequence[Link]
    next_before: int | None
