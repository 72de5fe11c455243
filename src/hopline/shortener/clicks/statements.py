"""The SQL of this folder: one statement a file."""

from functools import cache
from importlib.resources import files

__all__ = ["statement"]


@cache
def statement(name: str) -> str:
    """The text of sql/<name>.sql."""
    return files(__package__).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
