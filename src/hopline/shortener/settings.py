"""What can be set, where from, and what it is when nobody sets it.

Each setting is a flag of `hopline serve` (--data-dir), a variable (HOPLINE_DATA_DIR) and a line of a TOML file
(data_dir = "…"); the flag goes before the variable, the variable before the file. The file is the one named by
--config or HOPLINE_CONFIG, else hopline.toml in the data folder where there is one. An empty variable counts
as not set. A name nobody knows is an error, since a misspelt setting is one that silently isn't made.
"""

import dataclasses
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import platformdirs

from hopline.errors import HoplineError
from hopline.shortener import setting_values as read
from hopline.shortener.links.link import REDIRECT_STATUSES

__all__ = ["Settings", "SettingsError"]

PREFIX: Final = "HOPLINE_"
FILE_NAME: Final = "hopline.toml"
# Variables that are ours but no settings: they say where the settings are, and what the command line speaks to.
_OTHER_VARIABLES: Final = frozenset(PREFIX + name for name in ("CONFIG", "SERVER", "API_KEY", "KEY_FILE"))
_LOCAL_NAMES: Final = {"0.0.0.0": "localhost", "::": "localhost"}  # noqa: S104 - recognised, not bound


class SettingsError(HoplineError):
    """A setting can't be used; the message names where it was made, and the way out."""


def _read(reader: Callable[[object], Any], help_: str) -> dict[str, Any]:
    return {"read": reader, "help": help_}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting of the shortener. Immutable; `load` checks, the constructor trusts its caller."""

    host: str = field(default="127.0.0.1", metadata=_read(read.host, "Address to listen on."))
    port: int = field(
        default=8080, metadata=_read(read.integer(0, 65_535), "Port to listen on; 0 takes any that is free.")
    )
    workers: int = field(
        default=1, metadata=_read(read.integer(1, 512), "Worker processes; one for each core is most that helps.")
    )
    data_dir: Path = field(
        default_factory=lambda: platformdirs.user_data_path("hopline"),
        metadata=_read(read.folder, "Folder of all data."),
    )
    base_url: str | None = field(
        default=None, metadata=_read(read.origin, "What short URLs begin with, like https://sho.rt.")
    )
    admin_key: str | None = field(
        default=None, repr=False, metadata=_read(read.admin_key, "The first API key, made at the first start only.")
    )
    geoip_db: Path | None = field(
        default=None, metadata=_read(read.existing_file, "A MaxMind database file, for clicks by country.")
    )
    redirect_status: int = field(
        default=302, metadata=_read(read.choice(*REDIRECT_STATUSES), "Redirect of links that don't choose one.")
    )
    allow_credentials: bool = field(
        default=False, metadata=_read(read.flag, "Take URLs with a user name or password in them.")
    )
    avoid_lookalikes: bool = field(
        default=False, metadata=_read(read.flag, "Give out no code with letters that look alike: 0O, 1lI.")
    )
    avoid_rude: bool = field(default=True, metadata=_read(read.flag, "Give out no code that reads as a rude word."))
    code_cache_size: int = field(
        default=100_000, metadata=_read(read.integer(1, 100_000_000), "Links each worker keeps in memory.")
    )
    cache_ttl: float = field(
        default=60.0,
        metadata=_read(read.number(0.001, 86_400), "Seconds a link in memory is used before it is read anew."),
    )
    max_url_length: int = field(
        default=8192, metadata=_read(read.integer(64, 16_000), "Longest URL that is taken, in characters.")
    )
    shutdown_timeout: float = field(
        default=10.0, metadata=_read(read.number(0, 600), "Seconds requests may take to end at shutdown.")
    )
    log_level: str = field(
        default="info", metadata=_read(read.choice("debug", "info", "warning", "error"), "How much is logged.")
    )
    journal_segment_bytes: int = field(
        default=33_554_432,
        metadata=_read(read.integer(65_536, 1 << 30), "Size of one file of the click journal, in bytes."),
    )

    @property
    def public_url(self) -> str:
        """What short URLs begin with, without a trailing slash."""
        if self.base_url is not None:
            return self.base_url
        name = _LOCAL_NAMES.get(self.host, self.host)
        shown = f"[{name}]" if ":" in name else name
        return f"http://{shown}" if self.port == 80 else f"http://{shown}:{self.port}"

    @classmethod
    def help(cls, name: str) -> str:
        """One line about the setting `name`."""
        return str(_FIELDS[name].metadata["help"])

    @classmethod
    def load(cls, flags: Mapping[str, object], environ: Mapping[str, str], toml_path: Path | None = None) -> "Settings":
        """The settings out of all sources; a flag of None wasn't given. SettingsError, also for unknown names."""
        found = _Sources(flags, environ)
        if toml_path is None and environ.get(PREFIX + "CONFIG", "").strip():
            toml_path = Path(environ[PREFIX + "CONFIG"].strip())
        if toml_path is not None:
            found.add_file(toml_path.expanduser())
        else:
            beside = found.value("data_dir", cls().data_dir) / FILE_NAME
            if beside.is_file():
                found.add_file(beside, without="data_dir")
        values = {name: found.value(name) for name in _FIELDS if name in found}
        found.refuse_unknown()
        return cls(**values)


_FIELDS: Final = {entry.name: entry for entry in dataclasses.fields(Settings)}


class _Sources:
    """What flags, variables and file say, the first that speaks of a setting being heard."""

    def __init__(self, flags: Mapping[str, object], environ: Mapping[str, str]) -> None:
        self._said: dict[str, tuple[str, object]] = {}
        self._unknown: list[tuple[str, list[str]]] = []  # a source and name, and the names it could have had
        given = {name: value for name, value in flags.items() if value is not None}
        self._add(given, lambda name: "--" + name.replace("_", "-"))
        variables = {
            name[len(PREFIX) :].lower(): value.strip()
            for name, value in environ.items()
            if name.startswith(PREFIX) and name not in _OTHER_VARIABLES and value.strip()
        }
        self._add(variables, lambda name: PREFIX + name.upper())

    def add_file(self, path: Path, without: str = "") -> None:
        """Hear the TOML file `path` too. `without` is a setting that a file found in this way can't make."""
        try:
            with path.open("rb") as file:
                content = tomllib.load(file)
        except OSError as error:
            raise SettingsError(
                f"settings file {str(path)!r} can't be read: {error.strerror}; check --config"
            ) from error
        except ValueError as error:  # broken TOML, or no UTF-8
            raise SettingsError(f"settings file {str(path)!r} is not valid TOML: {error}") from error
        if without in content:
            raise SettingsError(
                f"{without} in {str(path)!r} can't move the folder it is in; set HOPLINE_{without.upper()}"
            )
        self._add(content, str, f" in {str(path)!r}")

    def _add(self, said: Mapping[str, object], spell: Callable[[str], str], where: str = "") -> None:
        """Hear `said`, by names that are spelt so in that source, which is said to be `where`."""
        for name, value in said.items():
            if name in _FIELDS:
                self._said.setdefault(name, (spell(name) + where, value))
            else:
                near = get_close_matches(name.lower(), [*_FIELDS, "config"], n=1)
                self._unknown.append((spell(name) + where, [spell(other) for other in near]))

    def __contains__(self, name: object) -> bool:
        return name in self._said

    def value(self, name: str, default: Any = None) -> Any:
        """The value of `name`, checked; `default` where no source speaks of it."""
        if name not in self._said:
            return default
        source, value = self._said[name]
        try:
            return _FIELDS[name].metadata["read"](value)
        except ValueError as error:
            raise SettingsError(f"{source}: {error}") from error

    def refuse_unknown(self) -> None:
        """SettingsError for the first name that is no setting."""
        for source, near in self._unknown:
            way_out = f"did you mean {near[0]}?" if near else "see `hopline serve --help` for those there are"
            raise SettingsError(f"{source} is no setting; {way_out}")
