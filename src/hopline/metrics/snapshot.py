"""Figures at one moment, as plain values that can be added: the form in which every part shows what it did.

A block answers `stats()`, a frozen dataclass. `from_stats` turns one into samples, `merge` adds up those of
several processes, and the wire form carries them from process to process. Nothing is pushed: figures are
taken when somebody asks. Pure.
"""

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Kind", "Labels", "Sample", "Snapshot", "decode", "encode", "from_stats", "merge"]

Kind = Literal["counter", "gauge"]
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure. Counters only grow while their process lives; gauges say how much there is now."""

    name: str
    kind: Kind
    help: str
    value: float
    labels: Labels = ()


Snapshot = list[Sample]


def from_stats(prefix: str, stats: Any, labels: Labels = ()) -> Snapshot:
    """The numbers of a stats dataclass as `prefix_field`; booleans become 0 or 1, other types are left out.

    A field's metadata may say `help` and `kind`; a field is a counter unless it says otherwise or is a boolean.
    """
    samples = []
    for field in dataclasses.fields(stats):
        value = getattr(stats, field.name)
        if not isinstance(value, (int, float)):
            continue
        kind: Kind = field.metadata.get("kind", "gauge" if isinstance(value, bool) else "counter")
        text = field.metadata.get("help", field.name.replace("_", " ").capitalize())
        samples.append(Sample(f"{prefix}_{field.name}", kind, text, float(value), labels))
    return samples


def merge(snapshots: Iterable[Snapshot]) -> Snapshot:
    """The sum of several processes' figures, by name and labels, in the order first met."""
    summed: dict[tuple[str, Labels], Sample] = {}
    for snapshot in snapshots:
        for sample in snapshot:
            key = (sample.name, sample.labels)
            known = summed.get(key)
            summed[key] = sample if known is None else dataclasses.replace(known, value=known.value + sample.value)
    return list(summed.values())


def encode(snapshot: Snapshot) -> bytes:
    """The wire form: JSON."""
    rows = [[sample.name, sample.kind, sample.help, sample.value, sample.labels] for sample in snapshot]
    return json.dumps(rows).encode()


def decode(data: bytes) -> Snapshot:
    """Back from the wire form. ValueError where it isn't one."""
    try:
        rows = json.loads(data)
        return [
            Sample(name, kind, text, float(value), tuple((label, said) for label, said in labels))
            for name, kind, text, value, labels in rows
        ]
    except (TypeError, ValueError) as error:
        raise ValueError(f"not a snapshot: {error}") from error
