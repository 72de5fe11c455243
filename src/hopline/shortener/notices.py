"""What a visitor reads when a short link leads nowhere: one small page, no script, nothing to load.

The style is in the page, allowed by its hash, since a page that says "not found" should not ask for more files.
"""

import base64
import hashlib
import html
from typing import Final

from hopline.http import HTTPError, Request, Response

__all__ = ["notice"]

_STYLE: Final = (
    ":root{color-scheme:light dark}"
    "body{font:1.125rem/1.6 system-ui,sans-serif;max-width:34rem;margin:18vh auto;padding:0 1.5rem}"
    "h1{font-size:1.5rem;line-height:1.3;margin:0 0 .5rem}p{margin:0;opacity:.8}"
)
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_FIELDS: Final = (
    (
        "content-security-policy",
        f"default-src 'none'; style-src 'sha256-{_HASH}'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-robots-tag", "noindex"),
    ("cache-control", "no-store"),
)
_TITLES: Final = {
    404: "This link does not exist",
    410: "This link has expired",
    405: "That can't be done here",
    500: "Something went wrong",
    503: "Back in a moment",
}
_ADVICE: Final = {
    404: "Check that the address is complete: capital and small letters count.",
    410: "Whoever made it gave it an end. Ask them for a new one.",
    500: "It is our fault, and it has been noted. Please try again.",
    503: "The service can't look the link up right now. Please try again.",
}


def notice(request: Request, error: HTTPError) -> Response:
    """The page for `error`, or a line of text for programs that don't ask for HTML. An ErrorHandler."""
    title = _TITLES.get(error.status, "This can't be shown")
    advice = _ADVICE.get(error.status, error.detail)
    fields = (*_FIELDS, *error.headers)
    if "text/html" not in request.headers.get("accept", ""):
        return Response(f"{error.status} {title}. {advice}\n", error.status, headers=fields)
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style>"
        f"<main><h1>{html.escape(title)}</h1><p>{html.escape(advice)}</p></main></html>\n"
    )
    return Response.html(page, error.status, headers=fields)
