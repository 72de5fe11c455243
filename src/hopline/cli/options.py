"""Options that several commands share, and where the API key comes from."""

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hopline.cli.errors import USAGE, CliError
from hopline.cli.terminal import note

if TYPE_CHECKING:
    from hopline.cli.api import Api

__all__ = [
    "DEFAULT_SERVER",
    "ConfigOption",
    "DataDirOption",
    "JsonOption",
    "KeyFileOption",
    "ServerOption",
    "connect",
    "data_folder",
]

DEFAULT_SERVER: Final = "http://127.0.0.1:8080"
_LONGEST_KEY: Final = 4096

ServerOption = Annotated[
    str,
    typer.Option(
        "--server",
        envvar="HOPLINE_SERVER",
        metavar="URL",
        help="The server to speak to.",
        rich_help_panel="Server",
    ),
]
KeyFileOption = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        envvar="HOPLINE_KEY_FILE",
        metavar="FILE",
        help="A file with the API key, where HOPLINE_API_KEY isn't set; else ~/.config/hopline/key.",
        rich_help_panel="Server",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DataDirOption = Annotated[
    Path | None,
    typer.Option("--data-dir", metavar="FOLDER", help="The data folder; also HOPLINE_DATA_DIR."),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="A TOML file of settings; also HOPLINE_CONFIG."),
]


def connect(server: str, key_file: Path | None) -> "Api":
    """An API client for `server`; nothing is sent yet."""
    from hopline.cli.api import Api
    from hopline.cli.client import Client

    return Api(Client(server, _api_key(key_file)))


def data_folder(data_dir: Path | None, config: Path | None = None) -> Path:
    """The folder that `hopline serve` would use with the same options, environment and configuration."""
    from hopline.shortener.settings import Settings

    flags: dict[str, object] = {} if data_dir is None else {"data_dir": data_dir}
    return Settings.load(flags, os.environ, config).data_dir


def _api_key(key_file: Path | None) -> str | None:
    key = os.environ.get("HOPLINE_API_KEY", "").strip()
    if key:
        return _checked(key, "HOPLINE_API_KEY")
    if key_file is not None:
        return _read_key(key_file)
    import platformdirs

    usual = platformdirs.user_config_path("hopline") / "key"
    return _read_key(usual) if usual.is_file() else None


def _read_key(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(_LONGEST_KEY + 1).decode("ascii", "replace").strip()
    except OSError as error:
        raise CliError(f"the key file {str(path)!r} can't be read: {error.strerror}", USAGE) from error
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        note(f"warning: others can read the key file {str(path)!r}; run: chmod 600 {path}")
    return _checked(text, str(path))


def _checked(key: str, source: str) -> str:
    """The key, if a header can carry it; the key itself is never shown."""
    if not key or len(key) > _LONGEST_KEY or not all("!" <= char <= "~" for char in key):
        raise CliError(f"{source} holds no API key: one line of printable ASCII is expected", USAGE)
    return key
