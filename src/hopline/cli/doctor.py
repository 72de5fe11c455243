"""`hopline doctor`: looks the installation over and says what to do about what it finds."""

import os
from typing import Annotated

import typer

from hopline.cli.errors import FAILED
from hopline.cli.options import ConfigOption, DataDirOption, JsonOption
from hopline.cli.terminal import clean, console, print_json

__all__ = ["doctor"]


def doctor(
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option("--host", metavar="ADDRESS", help="As for serve.")] = None,
    port: Annotated[int | None, typer.Option("--port", metavar="N", help="As for serve.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Look the installation over; say what to do.

    Versions, limits, the data folder, its databases and the port are checked; nothing is changed. Exit status:
    1 where something has to be put right, else 0.
    """
    from hopline.cli.checks import Level, run_checks
    from hopline.shortener.settings import Settings

    flags: dict[str, object] = {"data_dir": data_dir, "host": host, "port": port}
    given = {name: value for name, value in flags.items() if value is not None}
    settings = Settings.load(given, os.environ, config)
    checks = []
    styles = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}
    out = console()
    for check in run_checks(settings.data_dir, settings.host, settings.port):
        checks.append(check)
        if not as_json:
            out.print(f"{check.level:<4}", style=styles[check.level], end=" ")
            advice = f"; {check.advice}" if check.advice else ""
            out.print(clean(f"{check.name}: {check.found}{advice}"), soft_wrap=True)
    if as_json:
        print_json(checks)
    if any(check.level is Level.FAIL for check in checks):
        raise typer.Exit(FAILED)
