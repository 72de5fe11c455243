"""Medians and ratios out of single measurements, with what other programs disturbed left out and counted."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.quiet import DISTURBED

__all__ = ["PEERS", "summarise"]

PEERS = ("nginx", "go")


def summarise(measurements: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """By depth and contender: medians with least and most, and ratios to the peers within a round.

    A measurement is used if it was undisturbed, a ratio if both of its sides were. `used` and `made` say how many.
    """
    summary: dict[str, dict[str, Any]] = {}
    for depth in sorted({one["depth"] for one in measurements}):
        at_depth = [one for one in measurements if one["depth"] == depth]
        names = list(dict.fromkeys(one["contender"] for one in at_depth))
        summary[str(depth)] = {name: _contender(name, names, at_depth) for name in names}
    return summary


def _contender(name: str, names: list[str], at_depth: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    made = sum(one["contender"] == name for one in at_depth)
    quiet = _undisturbed(name, at_depth)
    found: dict[str, Any] = {"made": made, "used": len(quiet), "ratios": {}}
    for figure in ("rate", "cpu_us", "busy"):
        found[figure] = _spread([one[figure] for one in quiet.values()])
    for peer in PEERS:
        if name not in PEERS and peer in names:
            theirs = {
                one["round"]: one for one in at_depth if one["contender"] == peer and one["disturbed"] < DISTURBED
            }
            both = sorted(quiet.keys() & theirs.keys())
            found["ratios"][peer] = {
                figure: _spread([quiet[number][figure] / theirs[number][figure] for number in both])
                for figure in ("rate", "cpu_us")
            }
    return found


def _undisturbed(name: str, at_depth: Sequence[Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
    """By round."""
    return {one["round"]: one for one in at_depth if one["contender"] == name and one["disturbed"] < DISTURBED}


def _spread(values: list[float]) -> dict[str, float] | None:
    """None where nothing undisturbed was measured."""
    if not values:
        return None
    return {"median": round(statistics.median(values), 3), "min": round(min(values), 3), "max": round(max(values), 3)}
