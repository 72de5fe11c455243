"""`hopline restore`: a backup into an empty data folder, checked file by file before any of it is in place."""

import tempfile
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from hopline.cli.errors import CliError
from hopline.cli.options import ConfigOption, data_folder
from hopline.cli.terminal import note, progress

__all__ = ["restore"]


def restore(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="What `hopline backup` wrote.")],
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", metavar="FOLDER", help="An empty or new data folder.")
    ] = None,
    skip: Annotated[
        int | None, typer.Option("--skip", min=0, metavar="N", help="Codes to pass over, where you know better.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Bring a backup back into an empty data folder.

    Every file is checked against the backup's manifest. Links made after the backup are lost, and their codes
    are not given to other links: the counter passes over all that can have been given out since, reckoned as
    ten times the busiest day's for each day, and ten million at least.
    """
    import sqlite3

    from hopline.shortener.data_folder import DataFolder

    folder = data_folder(data_dir, config)
    locked = DataFolder(folder)
    locked.open()
    locked.lock()
    try:
        strange = sorted(path.name for path in folder.iterdir() if path.name != "lock")
        if strange:
            raise CliError(f"{str(folder)!r} isn't empty, it holds {strange[0]!r}; name a new folder with --data-dir")
        count = _restore(source, folder, skip)
    except (sqlite3.Error, OSError) as error:
        raise CliError(f"nothing was restored: {error}") from error
    finally:
        locked.close()
    note(f"{count} files restored into {folder}; start it with `hopline serve --data-dir {folder}`")


def _restore(source: Path, folder: Path, skip: int | None) -> int:
    from hopline.cli.archive import open_backup, sync_folder
    from hopline.shortener.links.backup import advance_counter

    with open_backup(source) as found, tempfile.TemporaryDirectory(prefix=".restore-", dir=folder) as staging:
        entries = found.manifest.files
        with progress("files") as display:
            task = display.add_task("restoring", total=sum(entry.size for entry in entries), done=0, rate=0.0)
            for number, entry in enumerate(entries, 1):
                path = Path(staging) / entry.name
                path.parent.mkdir(mode=0o700, exist_ok=True)
                found.extract(entry, path)
                path.chmod(0o600)
                display.update(task, advance=entry.size, done=number)
        made_at = datetime.fromisoformat(found.manifest.created).timestamp()
        advance_counter(Path(staging) / "links.db", made_at, skip)
        for path in sorted(Path(staging).iterdir(), key=lambda path: path.name == "links.db"):
            path.rename(folder / path.name)  # links.db last: without it the folder is no data folder
        sync_folder(folder)
    return len(entries)
