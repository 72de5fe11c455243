"""The `hopline` command line: every command, its help and its example."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from hopline.cli import backup, doctor, export, http, import_, keys, links, restore, serve, stats

__all__ = ["app"]

app = typer.Typer(
    name="hopline",
    help="A self-hosted link shortener. Start with `hopline serve`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_keys = typer.Typer(help="API keys: create, list, revoke.", no_args_is_help=True, rich_markup_mode=None)


def _version() -> None:
    """Print the versions of Hopline, Python and SQLite."""
    import platform
    import sqlite3
    from importlib.metadata import version

    python = f"Python {platform.python_version()}"
    typer.echo(f"hopline {version('hopline')} ({python}, SQLite {sqlite3.sqlite_version})")


def _version_option(wanted: bool) -> None:
    if wanted:
        _version()
        raise typer.Exit


@app.callback()
def _hopline(
    version: Annotated[
        bool, typer.Option("--version", callback=_version_option, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _add(group: typer.Typer, name: str, command: Callable[..., Any], example: str) -> None:
    group.command(name, epilog=f"Example: {example}")(command)


_add(app, "serve", serve.serve, "hopline serve --port 8080 --base-url https://sho.rt --workers 2")
_add(app, "shorten", links.shorten, "hopline shorten https://example.com/a/long/path --code hello --expires 30d")
_add(app, "links", links.links, "hopline links --search example.com --limit 20")
_add(app, "show", links.show, "hopline show hello")
_add(app, "edit", links.edit, "hopline edit hello --url https://example.com/elsewhere")
_add(app, "delete", links.delete, "hopline delete hello --yes")
_add(app, "stats", stats.stats, "hopline stats hello --days 7")
_add(app, "import", import_.import_links, "hopline import links.csv --output short.csv")
_add(app, "export", export.export, "hopline export --output links.csv")
_add(_keys, "create", keys.create, "hopline keys create 'newsletter' --role editor")
_add(_keys, "list", keys.list_, "hopline keys list")
_add(_keys, "revoke", keys.revoke, "hopline keys revoke 3")
app.add_typer(_keys, name="keys")
_add(app, "backup", backup.backup, "hopline backup /var/backups/hopline.tar")
_add(app, "restore", restore.restore, "hopline restore /var/backups/hopline.tar --data-dir ./restored")
_add(app, "doctor", doctor.doctor, "hopline doctor")
_add(app, "http", http.http, "hopline http shop.main:app --port 8000 --workers 2")
_add(app, "version", _version, "hopline version")
