"""The static files of the dashboard: read once, named after their content, cached for a year.

`dashboard.css` is served as `/dashboard/static/dashboard.3f2a9c1b04.css`: a changed file has a changed address,
so that a browser never mixes an old style sheet with a new page.
"""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from markupsafe import Markup

from hopline.http import HTTPError, Request, Response

__all__ = ["STATIC_PREFIX", "Assets"]

STATIC_PREFIX: Final = "/dashboard/static/"
_DIRECTORY: Final = Path(__file__).parent / "static"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HEADERS: Final = (
    ("cache-control", "public, max-age=31536000, immutable"),
    ("x-content-type-options", "nosniff"),
    # An SVG opened by itself is a document: it gets no powers either.
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: its content, type, and name with the hash of the content."""

    hashed_name: str
    content: bytes
    content_type: str


class Assets:
    """The files of static/ in memory. Immutable: safe to share."""

    def __init__(self, files: dict[str, Asset]) -> None:
        self._by_name = files
        self._by_hashed_name = {asset.hashed_name: asset for asset in files.values()}

    @classmethod
    def load(cls, directory: Path = _DIRECTORY) -> "Assets":
        """Read every file of `directory`; KeyError for a type that isn't served."""
        return cls({path.name: _read(path) for path in sorted(directory.iterdir()) if path.is_file()})

    def url(self, name: str) -> str:
        """The address of the file `name`; KeyError where there is none."""
        return STATIC_PREFIX + self._by_name[name].hashed_name

    def inline(self, name: str) -> Markup:
        """The text of the SVG file `name`, to stand in a page. The files are ours, hence trusted."""
        return Markup(self._by_name[name].content.decode())  # noqa: S704 - content of our own package

    async def serve(self, request: Request) -> Response:
        """GET /dashboard/static/{name}; 404 for a hash that is not today's."""
        asset = self._by_hashed_name.get(request.params["name"])
        if asset is None:
            raise HTTPError(404, "there is no such file")
        return Response(asset.content, content_type=asset.content_type, headers=_HEADERS)


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    digest = sha256(content).hexdigest()[:10]
    return Asset(f"{path.stem}.{digest}{path.suffix}", content, _TYPES[path.suffix])
