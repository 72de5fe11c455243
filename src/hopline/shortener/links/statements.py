"""SQL from its files: a schema, and statements by name (`-- name: by_id` above each)."""

from importlib.resources import files

__all__ = ["QUERIES", "SCHEMA"]


def _read(name: str) -> str:
    return (files("hopline.shortener.links") / "sql" / name).read_text()


def _named(text: str) -> dict[str, str]:
    found = {}
    for part in text.split("-- name: ")[1:]:
        name, _, statement = part.partition("\n")
        found[name.strip()] = statement.strip().removesuffix(";")
    return found


SCHEMA = _read("schema.sql")
QUERIES = _named(_read("queries.sql"))
