"""docs/benchmarks.md, made from results/*.json: no figure in it was typed by hand."""

import argparse
import json
from pathlib import Path

from benchmarks.machine import ROOT
from benchmarks.tables import about_text, profile_table, redirect_table

__all__ = ["add_arguments", "page", "run"]

PAGE = ROOT / "docs" / "benchmarks.md"
RESULTS = ROOT / "benchmarks" / "results"
_INTRODUCTION = """\
# Benchmarks

Made by `python -m benchmarks render` from `benchmarks/results/`; how it is measured, and what that leaves out, is in
[benchmarks/README.md](../benchmarks/README.md). Figures of one table were taken in turn on one machine; those of
another day or machine are not comparable, which is why ratios and CPU time are given.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m benchmarks render`."""
    parser.add_argument("--output", type=Path, default=PAGE, help="the page to write (docs/benchmarks.md)")


def run(options: argparse.Namespace) -> int:
    """Write the page."""
    options.output.write_text(page(RESULTS))
    print(f"wrote {options.output}")
    return 0


def page(results: Path) -> str:
    """The page as text; what was never measured is left out."""
    parts = [_INTRODUCTION]
    for name, title, show in (
        ("redirect", "The redirect", redirect_table),
        ("profile_redirect", "What the parts of a redirect cost", profile_table),
    ):
        path = results / f"{name}.json"
        if path.exists():
            found = json.loads(path.read_text())
            parts.append(f"## {title}\n\n{about_text(found['about'])}\n\n{show(found).rstrip()}\n")
    return "\n".join(parts)
