"""What clients send, read strictly: a field that nobody knows is refused by name.

Otherwise a link with a misspelt "expire_at" would be made, and never end. Types are those of JSON; null means
"none", and in a change "take it away", where a missing field means "leave it".
"""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from hopline.http import Request
from hopline.shortener.api.problems import Problem, invalid
from hopline.shortener.links.service import LinkInput

__all__ = ["BulkBody", "ChangeBody", "LinkBody", "ShortenBody", "read_body", "read_number", "read_query", "read_row"]

T = TypeVar("T", bound=msgspec.Struct)


class LinkBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A link to be made. `expires_at` is ISO 8601, in UTC where it names no offset."""

    url: str
    custom_code: str | None = None
    user_id: str | None = None
    expires_at: str | None = None
    redirect_status: int | None = None

    def wanted(self) -> LinkInput:
        """As the service takes it."""
        return LinkInput(self.url, self.custom_code, self.user_id, self.expires_at, self.redirect_status)


class ChangeBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a PATCH changes. The code of a link is its name, and not among it."""

    url: str | UnsetType = UNSET
    user_id: str | UnsetType | None = UNSET
    expires_at: str | UnsetType | None = UNSET
    redirect_status: int | UnsetType | None = UNSET

    def given(self) -> dict[str, Any]:
        """The fields that were sent, null as None."""
        fields = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return {name: value for name, value in fields if value is not UNSET}


class BulkBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Many links to be made; each is read alone, so that a bad one spoils only itself."""

    links: list[msgspec.Raw]


class ShortenBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The body of POST /shorten."""

    url: str
    custom_code: str | None = None
    user_id: str | None = None


def read_body(request: Request, kind: type[T]) -> T:
    """The body of `request`. Problem 415 for another type than JSON, 400 where it is none, 422 naming a field."""
    media = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    # What `curl -d '{…}'` says of its body unless told otherwise. No form begins with a brace.
    by_curl = media == "application/x-www-form-urlencoded" and request.body.lstrip().startswith(b"{")
    if media != "application/json" and not media.endswith("+json") and not by_curl:
        raise Problem(415, f"the body is sent as {media!r}; send JSON, as content-type: application/json")
    if not request.body.strip():
        raise Problem(400, "the body is empty; send a JSON object")
    return _decoded(request.body, kind)


def read_row(raw: msgspec.Raw) -> LinkBody:
    """One link of many. Problem 422."""
    try:
        return _decoded(bytes(raw), LinkBody)
    except Problem as problem:
        raise Problem(422, problem.detail, problem.field) from problem


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise _refusal(str(error), kind) from error
    except RecursionError as error:
        raise Problem(400, "the body is nested too deep") from error
    except ValueError as error:  # msgspec's DecodeError, or bytes that are no UTF-8
        reason = str(error).removeprefix("JSON is malformed: ").lower()
        raise Problem(400, f"the body is not valid JSON: {reason}") from error


_UNKNOWN: Final = re.compile(r"unknown field `(.*)`", re.DOTALL)
_MISSING: Final = re.compile(r"missing required field `(\w+)`")
_TYPE: Final = re.compile(r"(.*) - at `\$\.(\w+)[^`]*`", re.DOTALL)
_JSON_NAMES: Final = {"str": "string", "int": "integer"}


def _refusal(message: str, kind: type[msgspec.Struct]) -> Problem:
    """msgspec's message as ours, with the field it speaks of."""
    if found := _UNKNOWN.search(message):
        name = found[1][:64]
        return invalid(name, f"there is no field {name!r} here{_did_you_mean(name, kind.__struct_fields__)}")
    if found := _MISSING.search(message):
        return invalid(found[1], "this field is required")
    if found := _TYPE.fullmatch(message):
        reason = re.sub(r"`?\b(str|int)\b`?", lambda name: _JSON_NAMES[name[1]], found[1]).replace("`", "")
        return invalid(found[2], reason[:1].lower() + reason[1:])
    return Problem(400, "the body must be a JSON object")


def _did_you_mean(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known)}"


def read_query(request: Request, *known: str) -> Mapping[str, str]:
    """The query of `request`. Problem 422 for a parameter that isn't `known`: it would be silently without effect."""
    for name in request.query:
        if name not in known:
            raise invalid(name[:64], f"there is no parameter {name[:64]!r} here{_did_you_mean(name, known)}")
    return request.query


def read_number(query: Mapping[str, str], name: str, low: int, high: int) -> int | None:
    """The whole number `name` from `low` to `high`, None where it isn't there. Problem 422."""
    text = query.get(name)
    if text is None:
        return None
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else low - 1
    if not low <= number <= high:
        raise invalid(name, f"{text[:64]!r} is no whole number from {low} to {high}")
    return number
