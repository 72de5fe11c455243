"""`python -m benchmarks [redirect | profile | render]`; without a name, all of them."""

import argparse
import signal
import sys
from types import ModuleType

from benchmarks import profile_redirect, redirect, render
from benchmarks.pinned import BenchmarkError

COMMANDS: dict[str, ModuleType] = {"redirect": redirect, "profile": profile_redirect, "render": render}


def main() -> int:
    """Run what was asked for; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").strip())
    commands = parser.add_subparsers(dest="command", metavar="NAME")
    for name, module in COMMANDS.items():
        text = (module.__doc__ or "").partition("\n")[0]
        module.add_arguments(commands.add_parser(name, help=text, description=text))
    chosen = parser.parse_args()
    # Servers lead sessions of their own: only an orderly end takes them along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        if chosen.command is not None:
            status: int = COMMANDS[chosen.command].run(chosen)
            return status
        statuses: list[int] = [module.run(parser.parse_args([name])) for name, module in COMMANDS.items()]
        return max(statuses)
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
