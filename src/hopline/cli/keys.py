"""`hopline keys`: API keys, made and revoked in the data folder itself, so that no key is needed for the first."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from hopline.cli.errors import CliError
from hopline.cli.options import ConfigOption, DataDirOption, JsonOption, data_folder
from hopline.cli.terminal import clean, note, print_json, print_table

if TYPE_CHECKING:
    from pathlib import Path

    from hopline.shortener.access.keys import ApiKeys

__all__ = ["create", "list_", "revoke"]


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the key is for.")],
    role: Annotated[str, typer.Option("--role", metavar="ROLE", help="admin, editor or viewer.")] = "editor",
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an API key and print it, alone on a line; it can't be shown again."""
    info, secret = _keys(data_dir, config).create(name, role)
    if as_json:
        print_json({"id": info.id, "name": info.name, "role": info.role, "key": secret})
        return
    sys.stdout.write(f"{secret}\n")
    note(f"key {info.id} ({clean(info.name)}, {info.role}); keep it safe, it can't be shown again")


def list_(data_dir: DataDirOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List API keys, revoked ones included; the keys themselves aren't stored."""
    infos = _keys(data_dir, config).list()
    rows = [(info.id, info.name, info.role, _day(info.created_at), info.revoked) for info in infos]
    if as_json:
        names = ("id", "name", "role", "created", "revoked")
        print_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    print_table(
        ("id", "name", "role", "created", "state"),
        [(*row[:-1], "revoked" if row[-1] else "active") for row in rows],
        wide="name",
    )


def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `hopline keys list` shows it.")],
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Revoke an API key: what it signs is refused from now on."""
    if not _keys(data_dir, config).revoke(key_id):
        raise CliError(f"no active key has the id {key_id!r}; see `hopline keys list`")
    note(f"revoked {key_id}")


def _keys(data_dir: "Path | None", config: "Path | None") -> "ApiKeys":
    from hopline.shortener.access.keys import ApiKeys

    folder = data_folder(data_dir, config)
    if not (folder / "links.db").is_file():
        raise CliError(f"no data in {str(folder)!r}; start `hopline serve` once, or name the folder with --data-dir")
    return ApiKeys(folder / "links.db")


def _day(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).date().isoformat()
