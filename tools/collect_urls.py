"""Collect the URLs that people have written into the documentation of this machine: real input, with its oddities.

Reads what Debian keeps under /usr/share (package documentation and copyright files, manual pages, Perl, metadata)
and Python's own sources, unpacking .gz, and writes every http or https address once, in the order found, to a CSV
file with the column `url`, which `hopline import` takes. In plain text an address goes on to the next space, so that
trailing points, brackets, quotes and templates like http://%s/ stay as they were written; in markup it ends where
its attribute or element does.

    python tools/collect_urls.py OUT.csv [--most 40000] [folder…]
"""

import argparse
import csv
import gzip
import html
import re
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

__all__ = ["addresses_in", "collect", "main"]

FOLDERS = (
    "/usr/share/doc",
    "/usr/share/perl",
    "/usr/share/perl5",
    "/usr/share/man",
    "/usr/share/info",
    "/usr/share/metainfo",
    "/usr/share/misc",
    "/usr/share/common-licenses",
    "/usr/lib/python3",
    "/usr/lib/python3.11",
)
MOST = 40_000  # addresses in all
MOST_IN_FILE = 200  # so that no list of links makes the collection
MOST_BYTES = 4 << 20  # read of one file, unpacked
MOST_CHARACTERS = 2_000  # of one address
_ADDRESS = re.compile(rf"https?://\S{{1,{MOST_CHARACTERS}}}", re.IGNORECASE)
_MARKUP_END = re.compile(r"[\"<>]|'(?=[\s>/])|&(?:quot|gt|lt|#34|#62);")
_ROFF_END = re.compile(r"\\f[A-Z(\[]|\\\(|\\c|\\&$")
_MARKUP = (".html", ".htm", ".xhtml", ".xml", ".svg")


def addresses_in(text: str, name: str) -> Iterator[str]:
    """The addresses in one file, as they are written there; `name` tells markup from plain text."""
    for match in _ADDRESS.finditer(text):
        address = match[0]
        if name.endswith(_MARKUP):
            address = html.unescape(_MARKUP_END.split(address, maxsplit=1)[0])
        elif re.search(r"\.[1-9][a-z]*$", name):
            address = _ROFF_END.split(address, maxsplit=1)[0]
            for escape, meant in (("\\-", "-"), ("\\&", ""), ("\\:", ""), ("\\%", "")):
                address = address.replace(escape, meant)
        if len(address) > len("https://"):
            yield address


def _read(path: Path) -> str:
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as packed:
                data = packed.read(MOST_BYTES)
        else:
            with path.open("rb") as file:
                data = file.read(MOST_BYTES)
    except (OSError, EOFError, zlib.error):
        return ""
    # What is no text has no addresses that anybody wrote.
    return "" if b"\0" in data[:8192] else data.decode("utf-8", "replace")


def _files(folders: list[Path]) -> Iterator[Path]:
    seen: set[Path] = set()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink() and path not in seen and path.suffix != ".pyc":
                seen.add(path)
                yield path


def collect(folders: list[Path], most: int) -> list[str]:
    """Every address once, in the order of folders and files, at most `most` of them."""
    found: dict[str, None] = {}
    for path in _files(folders):
        name = path.name.removesuffix(".gz")
        before = len(found)
        for address in addresses_in(_read(path), name):
            found.setdefault(address)
            if len(found) >= most:
                return list(found)
            if len(found) - before >= MOST_IN_FILE:
                break
    return list(found)


def main() -> int:
    """Collect and write; says how many on standard error."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("output", type=Path, help="the CSV file to write")
    parser.add_argument("folders", type=Path, nargs="*", help="where to look (package documentation and the like)")
    parser.add_argument("--most", type=int, default=MOST, help=f"addresses at most ({MOST})")
    chosen = parser.parse_args()
    folders = chosen.folders or [Path(folder) for folder in FOLDERS if Path(folder).is_dir()]
    addresses = collect(folders, chosen.most)
    with chosen.output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["url"])
        writer.writerows([address] for address in addresses)
    print(f"{len(addresses)} addresses written to {chosen.output}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
