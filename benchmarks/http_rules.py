"""The rule table of tests/http/rules.py against Hopline and its peers: `python -m benchmarks.http_rules`.

Each server gets each stream over a connection of its own; what it answered is shown, in bold where the RFC
does not allow it, or where nothing bounds what it takes.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from hopline.testing import ServerProcess, free_port
from tests.http.outcomes import exchange, judge
from tests.http.rules import RULES

__all__ = ["SERVERS", "add_arguments", "rules_table", "run"]

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "http_rules.json"
PATIENCE = 2.0  # seconds without a byte after which a server counts as silent
_APP = "benchmarks.peers.http_asgi:app"


def _module(*words: str) -> Callable[[int], list[str]]:
    return lambda port: [sys.executable, "-m", *(word.replace("PORT", str(port)) for word in words)]


SERVERS: dict[str, Callable[[int], list[str]]] = {
    "hopline": _module("benchmarks.peers.http_ours", "PORT"),
    "uvicorn": _module(
        "uvicorn", _APP, "--port", "PORT", "--http", "httptools", "--loop", "uvloop", "--log-level", "critical"
    ),
    "granian": _module("granian", "--interface", "asgi", "--port", "PORT", "--no-ws", "--log-level", "critical", _APP),
    "hypercorn": _module("hypercorn", "--bind", "127.0.0.1:PORT", "--log-level", "critical", _APP),
}


def _ask(name: str) -> dict[str, dict[str, Any]]:
    """What one server did on each rule; it is started anew where a stream has ended it."""
    found: dict[str, dict[str, Any]] = {}
    port = free_port()
    path = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    with ServerProcess(SERVERS[name](port), address=("127.0.0.1", port), env=path, cwd=ROOT) as server:
        for rule in RULES:
            try:
                data, ended = exchange(("127.0.0.1", port), rule, patience=PATIENCE)
                outcome, right = judge(rule, data, ended=ended)
            except OSError as error:
                outcome, right = f"no connection: {error}", False
            if server.returncode is not None:
                outcome, right = f"the server ended with {server.returncode}", False
                server.start()
            found[rule.name] = {"outcome": outcome, "right": right}
    return found


def rules_table(results: Mapping[str, Any]) -> str:
    """The table in Markdown, with the sum of what was right in its last row."""
    servers = list(results["servers"])
    lines = [f"| rule | RFC | {' | '.join(servers)} |", "|---|---|" + "---|" * len(servers)]
    for rule in RULES:
        cells = [results["servers"][server]["rules"].get(rule.name) for server in servers]
        shown = ["" if cell is None else cell["outcome"].replace("|", "/") for cell in cells]
        marked = [s if cell is None or cell["right"] else f"**{s}**" for s, cell in zip(shown, cells, strict=True)]
        lines.append(f"| {rule.name} | {rule.section} | {' | '.join(marked)} |")
    sums = [sum(one["right"] for one in results["servers"][server]["rules"].values()) for server in servers]
    lines.append(f"| right, of {len(RULES)} | | {' | '.join(map(str, sums))} |")
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=list(SERVERS), help="who is asked (all)")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the results go, as JSON")


def run(options: argparse.Namespace) -> int:
    """Ask, show, keep; 1 where Hopline breaks a rule."""
    servers: dict[str, Any] = {}
    for name in options.servers:
        version = "of this tree" if name == "hopline" else metadata.version(name)
        servers[name] = {"version": version, "rules": _ask(name)}
    results = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "servers": servers}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(results, indent=1) + "\n")
    print(rules_table(results))
    ours = servers.get("hopline", {"rules": {}})["rules"].values()
    return 0 if all(one["right"] for one in ours) else 1


def main() -> int:
    """As a command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.http_rules", description=(__doc__ or "").strip())
    add_arguments(parser)
    return run(parser.parse_args())


if __name__ == "__main__":
    raise SystemExit(main())
