"""From a template and values to a Response: the one place where pages get their markup and their headers.

Templates are escaped throughout and strict (a name that is missing is an error, not an empty string). Every page
forbids everything but its own style sheet, script, images and forms, is never framed or stored, and keeps its
address to itself: following a link from the dashboard tells the target nothing.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hopline.http import Response
from hopline.shortener.dashboard import names, text
from hopline.shortener.dashboard.assets import Assets

__all__ = ["PAGE_HEADERS", "Pages", "code_path"]

_TEMPLATES: Final = Path(__file__).parent / "templates"
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
PAGE_HEADERS: Final = (
    ("content-security-policy", _POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cache-control", "no-store"),
)


def code_path(prefix: str, code: str) -> str:
    """The path of `code` below `prefix`: "/dashboard/links/caf%C3%A9/menu"."""
    return f"{prefix}/{quote(code, safe='/~')}"


class Pages:
    """Renders templates. Immutable once made: safe to share."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    @classmethod
    def load(cls, assets: Assets) -> "Pages":
        """Read and compile every template, so that a broken one fails the start and not a visitor."""
        environment = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.globals.update(asset=assets.url, inline=assets.inline, code_path=code_path)
        environment.filters.update(
            thousands=text.thousands, counted=text.count, moment=text.moment, country=names.country
        )
        for name in environment.list_templates():
            environment.get_template(name)
        return cls(environment)

    def page(
        self, template: str, status: int = 200, headers: Iterable[tuple[str, str]] = (), **values: Any
    ) -> Response:
        """`template` filled with `values`, under the headers of every page and `headers`."""
        body = self._environment.get_template(template).render(values)
        return Response.html(body, status, headers=(*PAGE_HEADERS, *headers))

    @staticmethod
    def see_other(location: str, headers: Iterable[tuple[str, str]] = ()) -> Response:
        """303 to a path of ours: after a form was taken, so that reloading doesn't send it again."""
        return Response(b"", 303, headers=(("location", location), *PAGE_HEADERS, *headers))
