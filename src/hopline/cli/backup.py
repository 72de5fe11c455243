"""`hopline backup`: a consistent copy of the data folder while the server runs.

Clicks are copied before links: a link made in between is then in the copy without its clicks, but never a click
without its link. The copy is made beside the target and gets its name when it is whole and on disk. What isn't in
it: visitor.key, which is to be forgotten within a day, and versions.map, which is made anew.
"""

import shutil
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hopline.cli.errors import CliError
from hopline.cli.options import ConfigOption, DataDirOption, data_folder
from hopline.cli.terminal import note, progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hopline.cli.archive import Manifest

__all__ = ["backup"]

_SMALL_FILES: Final = ("secret.key", "hopline.toml")


def backup(
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="A new folder, or a new file named .tar.")],
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Copy the data folder while the server runs.

    Links, clicks and keys, consistently. The copy holds the key that signs dashboard sessions: keep it where
    only you can read it.
    """
    import sqlite3

    folder = data_folder(data_dir, config)
    if not (folder / "links.db").is_file():
        raise CliError(f"no data in {str(folder)!r}; name the data folder with --data-dir")
    if target.exists():
        raise CliError(f"{str(target)!r} exists already; name a new file or folder")
    if not target.parent.is_dir():
        raise CliError(f"{str(target.parent)!r} isn't a folder; make it first")
    try:
        with tempfile.TemporaryDirectory(prefix=".hopline-backup-", dir=target.parent) as staging, _ticks() as tick:
            manifest = _copy(folder, Path(staging), target, tick)
    except (sqlite3.Error, OSError) as error:
        raise CliError(f"no backup was made: {error}; `hopline doctor` looks the data folder over") from error
    size = sum(entry.size for entry in manifest.files)
    note(f"{len(manifest.files)} files, {size:,} bytes in {target}")


def _copy(folder: Path, staging: Path, target: Path, tick: Callable[[str], None]) -> "Manifest":
    from hopline.cli.archive import make_manifest, sync_folder, write_tar
    from hopline.shortener.clicks.backup import copy_journal
    from hopline.shortener.links.backup import backup_links

    created = datetime.now(UTC).isoformat(timespec="seconds")
    whole = staging / "data"
    whole.mkdir(mode=0o700)
    tick("clicks")
    copy_journal(folder / "journal", folder / "clicks.db", whole)
    tick("links.db")
    backup_links(folder / "links.db", whole / "links.db")
    for name in _SMALL_FILES:
        if (folder / name).is_file():
            shutil.copy2(folder / name, whole / name)
    manifest = make_manifest(whole, version("hopline"), created, tick)
    if target.suffix == ".tar":
        write_tar(whole, staging / "backup.tar", manifest, tick)
        whole = staging / "backup.tar"
    whole.rename(target)
    sync_folder(target.parent)
    return manifest


@contextmanager
def _ticks() -> "Iterator[Callable[[str], None]]":
    """A progress display that counts files, as a function to call with each file's name."""
    with progress("steps") as display:
        task = display.add_task("copying", total=None, done=0, rate=0.0)
        seen = 0

        def tick(name: str) -> None:
            nonlocal seen
            seen += 1
            display.update(task, description=name, done=seen)

        yield tick
