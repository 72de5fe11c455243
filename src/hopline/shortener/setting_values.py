"""Readers of single settings: a value as a flag, a variable or TOML gives it becomes what the shortener works with.

Each reader takes any object and returns the value, or raises ValueError with a reason that reads on after
"--port: ": what was given, what is wrong with it, and the way out. Pure but for `existing_file`, which looks.
"""

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from hopline.shortener.links.hosts import normalise_host

__all__ = ["admin_key", "choice", "existing_file", "flag", "folder", "host", "integer", "number", "origin"]

T = TypeVar("T", int, str)
SHORTEST_KEY: Final = 32  # characters; what is made by itself has 47
LONGEST_KEY: Final = 200
_KEY: Final = re.compile(r"[A-Za-z0-9._~+/=-]+")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def integer(low: int, high: int) -> Callable[[object], int]:
    """Reads a whole number from `low` to `high`."""

    def read(value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"\s*-?[0-9][0-9_]{0,30}\s*", value):
            value = int(value.replace("_", ""))
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        raise ValueError(f"{value!r} is no whole number from {low} to {high}{_service_link(value)}")

    return read


def _service_link(value: object) -> str:
    """Kubernetes gives every pod beside a service named hopline a variable HOPLINE_PORT of its own making."""
    if isinstance(value, str) and value.startswith("tcp://"):
        return "; Kubernetes sets this for a service of the same name: give the pod enableServiceLinks: false"
    return ""


def number(low: float, high: float) -> Callable[[object], float]:
    """Reads a number from `low` to `high`, fractions included."""

    def read(value: object) -> float:
        try:
            found = None if isinstance(value, bool) else float(value)  # type: ignore[arg-type]  # that is what TypeError is for
        except (TypeError, ValueError, OverflowError):
            found = None
        if found is not None and low <= found <= high:  # NaN is in no range
            return found
        raise ValueError(f"{value!r} is no number from {low:g} to {high:g}")

    return read


def flag(value: object) -> bool:
    """Reads yes or no."""
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in ("1", "true", "yes", "on"):
        return True
    if text in ("0", "false", "no", "off"):
        return False
    raise ValueError(f"{value!r} is neither yes nor no; write true or false")


def choice(*choices: T) -> Callable[[object], T]:
    """Reads one of `choices`, in any case."""

    def read(value: object) -> T:
        for known in choices:
            if not isinstance(value, bool) and str(value).strip().lower() == str(known):
                return known
        raise ValueError(f"{value!r} is not offered; choose one of {', '.join(map(str, choices))}")

    return read


def folder(value: object) -> Path:
    """Reads a folder, which needn't exist; `~` is the user's home."""
    path = _path(value)
    if path.exists() and not path.is_dir():
        raise ValueError(f"{str(path)!r} is a file; name a folder")
    return path


def existing_file(value: object) -> Path:
    """Reads a file that must be there."""
    path = _path(value)
    if not path.is_file():
        raise ValueError(f"there is no file {str(path)!r}; check the path")
    return path


def _path(value: object) -> Path:
    if not isinstance(value, str | Path) or not str(value).strip() or "\0" in str(value):
        raise ValueError(f"{value!r} is no path")
    try:
        return Path(value).expanduser().absolute()
    except RuntimeError as error:
        raise ValueError(f"{str(value)!r} has no home to begin in; write the path out") from error


def host(value: object) -> str:
    """Reads an address or host name to listen on, without port; brackets around IPv6 are taken off."""
    text = value.strip() if isinstance(value, str) else ""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if _is_address(bare):
        return bare
    if ":" in bare:
        raise ValueError(f"{value!r} is more than a host; give the port with --port, or HOPLINE_PORT")
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,253}", bare):
        raise ValueError(f"{value!r} is neither an address nor a host name; 0.0.0.0 is every IPv4 address here")
    return bare


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def origin(value: object) -> str:
    """Reads where short URLs begin: scheme and host, a port where it isn't the scheme's own; no trailing slash."""
    text = str(value).strip()
    try:
        parts = urlsplit(text)
        name, port = parts.hostname or "", parts.port
        shown = normalise_host(f"[{name}]" if ":" in name else name) if name else ""
    except ValueError as error:
        raise ValueError(f"{value!r} is no web address ({_lowered(error)}); {_ORIGIN}") from error
    if parts.scheme not in _DEFAULT_PORTS or not name:
        raise ValueError(f"{value!r} is no web address; {_ORIGIN}")
    if parts.username is not None or parts.path not in ("", "/") or parts.query or parts.fragment or port == 0:
        raise ValueError(f"{value!r} has more than scheme, host and port; {_ORIGIN}")
    return f"{parts.scheme}://{shown}" + (f":{port}" if port and port != _DEFAULT_PORTS[parts.scheme] else "")


def _lowered(error: ValueError) -> str:
    return str(error)[:1].lower() + str(error)[1:]


_ORIGIN: Final = "write it like https://sho.rt"


def admin_key(value: object) -> str:
    """Reads the first API key. Only its hash is stored, unsalted, so it has to be long; it is never repeated here."""
    text = str(value).strip()
    if not SHORTEST_KEY <= len(text) <= LONGEST_KEY:
        raise ValueError(
            f"a key of {len(text)} characters; it must have {SHORTEST_KEY} to {LONGEST_KEY}, all of them random: "
            "`openssl rand -hex 32` makes one"
        )
    if not _KEY.fullmatch(text):
        raise ValueError("the key has characters that no header can carry; use letters, digits and . _ ~ + / = -")
    return text
