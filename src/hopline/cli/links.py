"""`hopline shorten`, `links`, `show`, `edit` and `delete`: links through the API, one at a time or as a list."""

import sys
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hopline.cli.errors import USAGE, CliError
from hopline.cli.options import DEFAULT_SERVER, JsonOption, KeyFileOption, ServerOption, connect
from hopline.cli.terminal import clean, note, print_json, print_table

if TYPE_CHECKING:
    from hopline.cli.api import Api, LinkInfo

__all__ = ["delete", "edit", "links", "moment", "shorten", "show"]

_PAGE: Final = 200
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST: Final = timedelta(days=36_500)

CodeArgument = Annotated[str, typer.Argument(metavar="CODE", help="The link's code, or its whole short URL.")]
ExpiresOption = Annotated[
    str | None,
    typer.Option("--expires", metavar="WHEN", help="ISO 8601 date or time, or from now: 30m, 12h, 7d, 4w."),
]
StatusOption = Annotated[
    int | None, typer.Option("--status", metavar="N", help="Redirect status: 301, 302, 307 or 308.")
]
UserOption = Annotated[str | None, typer.Option("--user", metavar="ID", help="Whose link it is, in your words.")]


def shorten(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where the link leads.")],
    code: Annotated[str | None, typer.Option("--code", metavar="CODE", help="A code of your choice.")] = None,
    expires: ExpiresOption = None,
    status: StatusOption = None,
    user: UserOption = None,
    server: ServerOption = DEFAULT_SERVER,
    key_file: KeyFileOption = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print all about the link.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a short link and print it, alone on a line."""
    fields = {
        "url": url,
        "custom_code": code,
        "user_id": user,
        "expires_at": moment(expires),
        "redirect_status": status,
    }
    with connect(server, key_file) as api:
        link = api.create({name: value for name, value in fields.items() if value is not None})
    _warn(link)
    if verbose or as_json:
        _show(link, as_json=as_json)
    else:
        sys.stdout.write(f"{clean(link.short_url)}\n")


def links(
    search: Annotated[
        str | None, typer.Option("--search", metavar="TEXT", help="Only links with this in code or URL.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="At most so many.")] = 50,
    everything: Annotated[bool, typer.Option("--all", help="All of them, whatever --limit says.")] = False,
    server: ServerOption = DEFAULT_SERVER,
    key_file: KeyFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List links, newest first.

    A table on a terminal; code, clicks, day of creation and URL separated by tabs anywhere else.
    """
    with connect(server, key_file) as api:
        pages = api.pages(_PAGE if everything else min(limit, _PAGE), search=search)
        found = islice((link for page in pages for link in page.links), None if everything else limit)
        if as_json:
            print_json(list(found))
            return
        rows = [(link.short_code, _count(link.clicks), link.created_at[:10], link.url) for link in found]
    if not rows:
        note("no links" if search is None else f"no links with {search!r}")
        return
    print_table(("code", "clicks", "created", "url"), rows, wide="url")


def show(
    code: CodeArgument,
    server: ServerOption = DEFAULT_SERVER,
    key_file: KeyFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print all about one link."""
    with connect(server, key_file) as api:
        _show(existing(api, code), as_json=as_json)


def edit(
    code: CodeArgument,
    url: Annotated[str | None, typer.Option("--url", metavar="URL", help="A new address.")] = None,
    expires: ExpiresOption = None,
    never: Annotated[bool, typer.Option("--never-expires", help="Take the expiry away.")] = False,
    status: StatusOption = None,
    user: UserOption = None,
    server: ServerOption = DEFAULT_SERVER,
    key_file: KeyFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change where a link leads, when it ends or how it redirects."""
    if never and expires is not None:
        raise CliError("--expires and --never-expires contradict each other; give one", USAGE)
    fields = {"url": url, "expires_at": moment(expires), "redirect_status": status, "user_id": user}
    changes: dict[str, object] = {name: value for name, value in fields.items() if value is not None}
    if never:
        changes["expires_at"] = None
    if not changes:
        raise CliError("nothing to change; see `hopline edit --help` for what can be", USAGE)
    with connect(server, key_file) as api:
        link = api.update(existing(api, code).short_code, changes)
    _warn(link)
    _show(link, as_json=as_json)


def delete(
    code: CodeArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    server: ServerOption = DEFAULT_SERVER,
    key_file: KeyFileOption = None,
) -> None:
    """Delete a link; a generated code never comes back."""
    with connect(server, key_file) as api:
        link = existing(api, code)
        if not yes:
            if not sys.stdin.isatty():
                raise CliError("deleting needs --yes where nobody can be asked", USAGE)
            typer.confirm(f"delete {clean(link.short_url)} -> {clean(link.url)}?", abort=True)
        api.delete(link.short_code)
    note(f"deleted {link.short_code}")


def existing(api: "Api", code: str) -> "LinkInfo":
    """The link of `code`, which may be given as a whole short URL; CliError where there is none."""
    from urllib.parse import unquote, urlsplit

    short = unquote(urlsplit(code).path).lstrip("/") if "://" in code else code
    link = api.link(short) if short else None
    if link is None:
        raise CliError(f"no link has the code {short!r}; `hopline links --search` finds links")
    return link


def moment(when: str | None, now: datetime | None = None) -> str | None:
    """`when` as the API takes it: 7d and the like counted from `now`, anything else as it is."""
    if when is None or not (when[:-1].isascii() and when[:-1].isdigit() and when[-1] in _UNITS):
        return when
    try:
        span = timedelta(**{_UNITS[when[-1]]: int(when[:-1])})
    except OverflowError:
        span = timedelta.max
    if span > _LONGEST:
        raise CliError(f"{when!r} is more than a hundred years; leave --expires out for a link that stays", USAGE)
    return ((now or datetime.now(UTC)) + span).isoformat(timespec="seconds")


def _warn(link: "LinkInfo") -> None:
    for warning in link.warnings:
        note(f"warning: {warning}")


def _count(clicks: int | None) -> int | str:
    return "-" if clicks is None else clicks


def _show(link: "LinkInfo", *, as_json: bool) -> None:
    if as_json:
        print_json(link)
        return
    lines = {
        "short": link.short_url,
        "url": link.url,
        "code": f"{link.short_code} ({'chosen' if link.custom else 'generated'})",
        "redirect": link.redirect_status,
        "created": link.created_at,
        "expires": link.expires_at or "never",
        "user": link.user_id or "-",
    }
    if link.clicks is not None:
        lines["clicks"] = f"{link.clicks:,}"
    sys.stdout.writelines(f"{name + ':':<10}{clean(str(value))}\n" for name, value in lines.items())
