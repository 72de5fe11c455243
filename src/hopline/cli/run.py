"""From the command line to an exit status, with no traceback for anything that can be foreseen."""

import os
import sys
from collections.abc import Sequence

import typer

from hopline.cli.errors import FAILED, INTERRUPTED, READER_GONE, CliError
from hopline.errors import HoplineError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `hopline` with `arguments` (the process's own by default); the exit status."""
    from hopline.cli.commands import app

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal without UTF-8 gets escapes, not a UnicodeEncodeError
            stream.reconfigure(errors="backslashreplace")
    try:
        result = app(args=arguments, prog_name="hopline", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        return _reader_went_away()
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # typer's own way of ending on it
            return _reader_went_away()
        raise
    except typer.TyperException as error:
        return _complain(_usage(error), error.exit_code)
    except CliError as error:
        return _complain(str(error), error.exit_code)
    except (HoplineError, OSError) as error:
        return _complain(str(error), FAILED)
    except (KeyboardInterrupt, typer.Abort):
        return _complain("interrupted", INTERRUPTED)
    return result if isinstance(result, int) else 0


def _complain(message: str, exit_code: int) -> int:
    from hopline.cli.terminal import clean

    sys.stderr.write(f"hopline: {clean(message)}\n")
    return exit_code


def _usage(error: typer.TyperException) -> str:
    """What is wrong with the command line, and where its help is."""
    command = getattr(getattr(error, "ctx", None), "command_path", "hopline")
    message = error.format_message().rstrip(".")
    return f"{message[:1].lower()}{message[1:]}; see `{command} --help`"


def _reader_went_away() -> int:
    """`hopline export | head` ends quietly; the interpreter must not flush into the closed pipe at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return READER_GONE
