"""Files from a folder: validators, ranges, and nothing from outside of the folder.

Conditions are judged in the order of RFC 9110 section 13.2.2, ranges as in section 14. A request for several ranges
gets the whole file, which the RFC allows: multipart answers are used by few clients and by many attacks. Files are
opened and read in threads of the loop's executor, so that a slow disk never holds the loop; large ones go out in
pieces, each read once the reader has taken the one before. `sendfile` isn't used: it would bypass the write buffer
and TLS.
"""

import asyncio
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypedDict, Unpack
from urllib.parse import quote

from hopline.clock import Clock, SystemClock
from hopline.http.app import App
from hopline.http.conditions import UNSATISFIABLE, Validators, precondition, selected_range
from hopline.http.errors import HTTPError
from hopline.http.fields import add_vary, chosen_encoding
from hopline.http.files import FileParts, OpenFile, content_type, open_regular
from hopline.http.message import Request, Response

__all__ = ["StaticFiles", "static"]

SUFFIXES: Final = {"br": ".br", "gzip": ".gz", "zstd": ".zst"}
SMALL: Final = 65_536  # bytes up to which a file is read in one go, together with opening it


class StaticFiles:
    """A handler of GET and HEAD for files in `folder`; the route's parameter `path` says which.

    Files and folders whose names begin with a dot are hidden unless `dotfiles`; links that lead out of the folder are
    never followed. `precompressed` names content codings ("br", "gzip", "zstd") of which siblings (`app.js.br`)
    are sent to clients that take them, where they are no older than the file. `max_age` is in seconds; `immutable` is
    for names that change with their content. Whoever can write into the folder is trusted. Safe to share.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        index: str | None = "index.html",
        max_age: int | None = None,
        immutable: bool = False,
        dotfiles: bool = False,
        precompressed: Collection[str] = (),
        clock: Clock | None = None,
    ) -> None:
        self._folder = Path(folder).resolve()
        self._index = index
        self._dotfiles = dotfiles
        self._precompressed = tuple(precompressed)
        self._cache_control = _cache_control(max_age, immutable)
        self._clock = clock or SystemClock()
        for coding in self._precompressed:
            if coding not in SUFFIXES:
                raise ValueError(f"precompressed {coding!r} is not known; use {', '.join(SUFFIXES)}")

    async def __call__(self, request: Request) -> Response:
        """Answer with the file; HTTPError 404, 412 or 416."""
        return await asyncio.to_thread(self._respond, request)

    def _respond(self, request: Request) -> Response:
        """All but the sending of a large file: in a thread."""
        path = request.params.get("path", "")
        accepted = request.headers.get("accept-encoding") if self._precompressed else None
        found = self._find(path, accepted)
        if found is None:
            raise HTTPError(404, "there is no such file")
        if isinstance(found, _Folder):
            return _to_folder(request, path)
        try:
            response = self._answer(request, found)
        except HTTPError:
            found.file.close()
            raise
        if self._precompressed:
            add_vary(response, "accept-encoding")
        return response

    def _find(self, path: str, accepted: str | None) -> "_Found | _Folder | None":
        """Look for `path` (with slashes, decoded), and open what is there."""
        place = self._place(path)
        if place is None:
            return None
        if place.is_dir():
            if path and not path.endswith("/"):
                return _Folder() if self._index and (place / self._index).is_file() else None
            place = self._place(f"{path}{self._index}") if self._index else None
        elif path.endswith("/"):
            return None
        return None if place is None else self._open(place, accepted)

    def _place(self, path: str) -> Path | None:
        """Where `path` lies once all links are followed; None where that is hidden, outside, or no path at all."""
        parts = path.removesuffix("/").split("/") if path else []
        for part in parts:
            if part in ("", ".", "..") or "\0" in part or (part[0] == "." and not self._dotfiles):
                return None
        try:
            place = self._folder.joinpath(*parts).resolve(strict=True)
        except (OSError, RuntimeError):  # not there, a name too long, or a loop of links
            return None
        return place if place.is_relative_to(self._folder) else None

    def _open(self, place: Path, accepted: str | None) -> "_Found | None":
        file = open_regular(place)
        if file is None:
            return None
        kind = content_type(place.name)
        siblings = list(self._precompressed)
        while coding := chosen_encoding(accepted, siblings):
            siblings.remove(coding)
            sibling = open_regular(place.with_name(place.name + SUFFIXES[coding]))
            if sibling is None:
                continue
            if sibling.modified_ns >= file.modified_ns:
                file.close()
                return _Found(sibling, kind, coding)
            sibling.close()
        return _Found(file, kind, None)

    def _answer(self, request: Request, found: "_Found") -> Response:
        file = found.file
        now = self._clock.time()
        has = Validators(file.etag, file.modified_ns // 1_000_000_000)
        fields = self._fields(has, now)
        status = precondition(request.headers, has)
        if status is not None:
            if status == 412:
                raise HTTPError(412, "the file is not in the state that was asked for", tuple(fields))
            file.close()
            return Response(b"", 304, headers=fields)
        part = selected_range(request.headers, has, file.size, now) if request.method == "GET" else None
        if part is UNSATISFIABLE:
            raise HTTPError(416, f"the file has {file.size} bytes", (("content-range", f"bytes */{file.size}"),))
        fields.append(("accept-ranges", "bytes"))
        fields.append(("x-content-type-options", "nosniff"))
        if found.coding is not None:
            fields.append(("content-encoding", found.coding))
        if part is not None:
            fields.append(("content-range", f"bytes {part.start}-{part.stop - 1}/{file.size}"))
        return _sent(file, part, found.kind, fields, head_only=request.method == "HEAD")

    def _fields(self, has: Validators, now: float) -> list[tuple[str, str]]:
        fields = [("etag", has.etag)]
        if has.modified <= now:  # a date to come must not be told (RFC 9110 section 8.8.2.1)
            fields.append(("last-modified", has.last_modified))
        if self._cache_control is not None:
            fields.append(("cache-control", self._cache_control))
        return fields


class Settings(TypedDict, total=False):
    """What `static` hands on to StaticFiles."""

    index: str | None
    max_age: int | None
    immutable: bool
    dotfiles: bool
    precompressed: Collection[str]
    clock: Clock | None


def static(app: App, prefix: str, folder: str | os.PathLike[str], **settings: Unpack[Settings]) -> StaticFiles:
    """Serve `folder` under `prefix` of `app`; `settings` are those of StaticFiles."""
    files = StaticFiles(folder, **settings)
    base = prefix.rstrip("/")
    app.get(f"{base}/")(files)
    app.get(f"{base}/{{path:path}}")(files)
    return files


@dataclass(frozen=True, slots=True)
class _Found:
    """A file to send, its type, and the coding it is in."""

    file: OpenFile
    kind: str
    coding: str | None


class _Folder:
    """A folder with an index, asked for without its slash."""


def _sent(file: OpenFile, part: range | None, kind: str, fields: list[tuple[str, str]], *, head_only: bool) -> Response:
    """The answer with the bytes `part` of `file`, or all of them; closes the file sooner or later."""
    status = 200 if part is None else 206
    part = range(file.size) if part is None else part
    if len(part) > SMALL or head_only:
        return Response(FileParts(file, part), status, content_type=kind, headers=fields, length=len(part))
    body = b""
    while len(body) < len(part):
        body += file.read(len(part) - len(body), part.start + len(body))
    file.close()
    return Response(body, status, content_type=kind, headers=fields)


def _to_folder(request: Request, path: str) -> Response:
    """Add the slash that relative links in the folder's page need. Relative, so that it leads to no other host."""
    name = quote(path.rpartition("/")[2], safe="")
    _, asked, query = request.target.decode("latin-1").partition("?")
    return Response(b"", 308, headers=(("location", f"./{name}/{asked}{query}"),))


def _cache_control(max_age: int | None, immutable: bool) -> str | None:
    if max_age is None:
        if immutable:
            raise ValueError("immutable needs max_age: how many seconds a copy may be kept, as in max_age=31_536_000")
        return None
    if max_age < 0:
        raise ValueError(f"max_age is a time in seconds and can't be negative: {max_age!r}")
    return f"public, max-age={max_age}" + (", immutable" if immutable else "")
