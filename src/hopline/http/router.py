"""From a method and a path to a handler: a tree of segments, the most literal match first.

A pattern is segments between slashes: literal text, `{name}` (any one segment), `{name:int}` (decimal digits),
or `{name:path}` (one or more segments, slashes included; literal segments may follow it). A path is split at its
raw slashes and each segment is percent-decoded alone, so an encoded slash never separates. Pure.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar
from urllib.parse import unquote_to_bytes

from hopline.http.errors import RouteError

__all__ = ["Found", "MethodMissing", "Router"]

T = TypeVar("T")
MAX_SEGMENTS: Final = 64  # deeper paths are unknown; a bound on the work a request can ask for
_PARAMETER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(?::([a-z]+))?\}")
_INT: Final = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """A route answers: its endpoint, and its parameters by name."""

    endpoint: T
    params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class MethodMissing:
    """The path is known, but not for this method; `allowed` is the value of an Allow field."""

    allowed: str


@dataclass(slots=True)
class _Leaf(Generic[T]):
    """What stands at the end of one pattern: an endpoint for each method."""

    names: tuple[str, ...]
    methods: dict[str, T] = field(default_factory=dict)


@dataclass(slots=True)
class _Node(Generic[T]):
    literal: dict[str, "_Node[T]"] = field(default_factory=dict)
    integer: "_Node[T] | None" = None
    single: "_Node[T] | None" = None
    rest: "list[tuple[tuple[str, ...], _Leaf[T]]]" = field(default_factory=list)  # longest suffix first
    leaf: "_Leaf[T] | None" = None


class Router(Generic[T]):
    """Routes to endpoints of any type. Filled at start-up, then only read: safe to share."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, method: str, pattern: str, endpoint: T) -> None:
        """Register `endpoint`; RouteError where the pattern is malformed or already taken."""
        if not pattern.startswith("/"):
            raise RouteError(f"pattern {pattern!r} must start with '/'")
        leaf = self._leaf(pattern)
        if method in leaf.methods:
            raise RouteError(f"{method} {pattern!r} is registered twice; remove one")
        leaf.methods[method] = endpoint

    def _leaf(self, pattern: str) -> _Leaf[T]:
        node = self._root
        names: list[str] = []
        segments = pattern[1:].split("/")
        for index, segment in enumerate(segments):
            parameter = _PARAMETER.fullmatch(segment)
            if parameter is None:
                if "{" in segment or "}" in segment:
                    raise RouteError(
                        f"segment {segment!r} of {pattern!r} mixes text and parameter; use a whole segment"
                    )
                node = node.literal.setdefault(segment, _Node())
                continue
            name, kind = parameter[1], parameter[2] or "str"
            if name in names:
                raise RouteError(f"pattern {pattern!r} names {name!r} twice")
            names.append(name)
            if kind == "path":
                return self._rest_leaf(node, pattern, tuple(segments[index + 1 :]), tuple(names))
            node = self._child(node, kind, pattern)
        if node.leaf is None:
            node.leaf = _Leaf(tuple(names))
        elif node.leaf.names != tuple(names):
            raise RouteError(f"pattern {pattern!r} is registered with other parameter names; use the same")
        return node.leaf

    def _child(self, node: _Node[T], kind: str, pattern: str) -> _Node[T]:
        if kind == "int":
            node.integer = node.integer or _Node()
            return node.integer
        if kind == "str":
            node.single = node.single or _Node()
            return node.single
        raise RouteError(f"type {kind!r} in {pattern!r} is not known; use str, int or path")

    def _rest_leaf(self, node: _Node[T], pattern: str, suffix: tuple[str, ...], names: tuple[str, ...]) -> _Leaf[T]:
        if any("{" in segment for segment in suffix):
            raise RouteError(f"only literal segments may follow a path parameter: {pattern!r}")
        for known, leaf in node.rest:
            if known == suffix:
                return leaf
        leaf = _Leaf(names)
        node.rest.append((suffix, leaf))
        node.rest.sort(key=lambda entry: -len(entry[0]))
        return leaf

    def match(self, method: str, raw_path: bytes) -> Found[T] | MethodMissing | None:
        """The endpoint for `method` on `raw_path` (still percent-encoded); None where no pattern fits.

        HEAD falls back to GET. Where the most literal pattern lacks the method, a less literal one may have it.
        """
        pieces = raw_path[1:].split(b"/", MAX_SEGMENTS)
        if len(pieces) > MAX_SEGMENTS:
            return None
        segments = [
            (unquote_to_bytes(piece) if b"%" in piece else piece).decode("utf-8", "replace") for piece in pieces
        ]
        allowed: set[str] = set()

        def accept(leaf: _Leaf[T], values: list[Any]) -> Found[T] | None:
            allowed.update(leaf.methods)
            endpoint = leaf.methods.get(method)
            if endpoint is None and method == "HEAD":
                endpoint = leaf.methods.get("GET")
            return None if endpoint is None else Found(endpoint, dict(zip(leaf.names, values, strict=True)))

        found = _search(self._root, segments, 0, [], accept)
        if found is not None:
            return found
        if not allowed:
            return None
        if "GET" in allowed:
            allowed.add("HEAD")
        return MethodMissing(", ".join(sorted(allowed | {"OPTIONS"})))


def _search(
    node: _Node[T],
    segments: list[str],
    index: int,
    values: list[Any],
    accept: Callable[[_Leaf[T], list[Any]], Found[T] | None],
) -> Found[T] | None:
    """Depth first, literal before int before str before path; bounded by MAX_SEGMENTS."""
    if index == len(segments):
        return accept(node.leaf, values) if node.leaf is not None else None
    segment = segments[index]
    literal = node.literal.get(segment)
    if literal is not None:
        found = _search(literal, segments, index + 1, values, accept)
        if found is not None:
            return found
    if node.integer is not None and _INT.fullmatch(segment):
        found = _search(node.integer, segments, index + 1, [*values, int(segment)], accept)
        if found is not None:
            return found
    if node.single is not None and segment:
        found = _search(node.single, segments, index + 1, [*values, segment], accept)
        if found is not None:
            return found
    for suffix, leaf in node.rest:
        stop = len(segments) - len(suffix)
        rest = "/".join(segments[index:stop])
        if rest and tuple(segments[stop:]) == suffix:
            found = accept(leaf, [*values, rest])
            if found is not None:
                return found
    return None
