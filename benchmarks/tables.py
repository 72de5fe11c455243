"""Results as tables in Markdown: what the commands print, and what docs/benchmarks.md is made of."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.summary import PEERS

__all__ = ["about_text", "profile_table", "redirect_table", "table"]

_SHOWN = {
    "deferred": "Hopline, ingestion deferred",
    "sustained": "Hopline, ingestion on the same core",
    "nginx": "nginx `return 302`",
    "go": "Go program",
}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, padded so that it can be read as it is; all but the first column to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = [cells[0].ljust(widths[0])]
        padded += [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([line(head), line(rule), *map(line, rows)])


def redirect_table(results: Mapping[str, Any]) -> str:
    """Results of benchmarks/redirect.py: a table for each depth, and what the clicks added up to."""
    parts = []
    for depth, contenders in results["summary"].items():
        peers = [peer for peer in PEERS if peer in contenders]
        head = ["", "runs", "requests/s", "least … most", "CPU µs/request", "core in use"]
        rows = [_row(name, found, peers) for name, found in contenders.items()]
        requests = "request" if depth == "1" else "requests"
        parts.append(f"{depth} {requests} at a time on each of {results['connections']} connections:\n")
        parts.append(table([*head, *(f"rate ÷ {peer}" for peer in peers)], rows) + "\n")
    return "\n".join([*parts, _sums_text(results["measurements"])])


def _row(name: str, found: Mapping[str, Any], peers: Sequence[str]) -> list[str]:
    """One contender's line. Runs are those that nobody disturbed, of those made."""
    shown = [_SHOWN.get(name, name), f"{found['used']} of {found['made']}"]
    rate = found["rate"]
    if rate is None:
        return [*shown, *["none"] * (4 + len(peers))]
    shown += [f"{rate['median']:,.0f}", f"{rate['min']:,.0f} … {rate['max']:,.0f}"]
    shown += [f"{found['cpu_us']['median']:.1f}", f"{100 * found['busy']['median']:.0f} %"]
    return [*shown, *(_ratio(found["ratios"].get(peer)) for peer in peers)]


def _ratio(of_peer: Mapping[str, Any] | None) -> str:
    rate = None if of_peer is None else of_peer["rate"]
    return "" if rate is None else f"{rate['median']:.2f} ({rate['min']:.2f} … {rate['max']:.2f})"


def _sums_text(measurements: Sequence[Mapping[str, Any]]) -> str:
    summed = [one["sums"] for one in measurements if one["sums"] is not None]
    lines = []
    if summed:
        counted, over = sum(one["counted"] for one in summed), sum(one["counted"] - one["answered"] for one in summed)
        lines.append(
            f"Clicks counted: {counted:,}, exactly as many as redirects were answered, in each of {len(summed)} runs; "
            f"{over:,} of them after the client had hung up."
        )
    for depth in sorted({one["depth"] for one in measurements}):
        runs = [one for one in measurements if one["contender"] == "sustained" and one["depth"] == depth]
        if runs:
            lines.append(_lag_text(depth, runs))
    return "\n\n".join(lines)


def _lag_text(depth: int, runs: Sequence[Mapping[str, Any]]) -> str:
    slopes = [one["lag_slope"] for one in runs if one["lag_slope"] is not None]
    most = max((max(one["lag_bytes"], default=0) for one in runs), default=0)
    took = max(one["sums"]["catch_up_seconds"] for one in runs)
    shown = ", ".join(f"{100 * slope:+.1f} %" for slope in slopes) or "not measured"
    return (
        f"Lag of the ingester on the same core at depth {depth}: at most {most / 1e6:.1f} MB; it grew by {shown} of "
        f"what was written (a round each); all was counted at most {took:.1f} s after the load."
    )


def profile_table(results: Mapping[str, Any]) -> str:
    """Results of benchmarks/profile_redirect.py."""
    rows = [[part["what"], f"{part['ns']:,.0f}", part["note"]] for part in results["parts"]]
    return table(["part", "ns", ""], rows)


def about_text(about: Mapping[str, Any]) -> str:
    """Date, commit, versions and machine in two sentences."""
    machine, commit = about["machine"], about["commit"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    dirty = ", with changes" if commit["dirty"] else ""
    dirty += ", changed while it was measured" if about["changed_meanwhile"] else ""
    return (
        f"{about['date'][:10]}, commit {commit['id']}{dirty}. {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB, Linux {machine['kernel']}. {versions}."
    )
