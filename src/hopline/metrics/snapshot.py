"""Figures at one moment, as plain values that can be added: the form in which every part shows what it did.

A block answers `stats()`, a frozen dataclass. `from_stats` turns one into samples, `merge` adds up those of
several processes, and the wire form carries them from process to process. Nothing is pushed: figures are
taken when somebody asks. Pure.
"""

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args

from hopline._histogram import Distribution

__all__ = ["Kind", "Labels", "Sample", "Snapshot", "Value", "decode", "encode", "from_stats", "merge"]

Kind = Literal["counter", "gauge", "histogram"]
Labels: TypeAlias = tuple[tuple[str, str], ...]
Value: TypeAlias = float | Distribution
_KINDS: Final = frozenset(get_args(Kind))


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure. Counters only grow while their process lives; gauges say how much there is now.

    The value of a histogram, and of nothing else, is a Distribution of durations.
    """

    name: str
    kind: Kind
    help: str
    value: Value
    labels: Labels = ()


Snapshot: TypeAlias = list[Sample]


def from_stats(prefix: str, stats: Any, labels: Labels = ()) -> Snapshot:
    """The figures of a stats dataclass as `prefix_field`; booleans become 0 or 1, what is no figure is left out.

    A field's metadata may say `help` and `kind`; a number is a counter unless it says otherwise or is a boolean.
    """
    samples = []
    for field in dataclasses.fields(stats):
        value = getattr(stats, field.name)
        text = field.metadata.get("help", field.name.replace("_", " ").capitalize())
        name = f"{prefix}_{field.name}"
        if isinstance(value, Distribution):
            samples.append(Sample(name, "histogram", text, value, labels))
        elif isinstance(value, (int, float)):
            kind: Kind = field.metadata.get("kind", "gauge" if isinstance(value, bool) else "counter")
            samples.append(Sample(name, kind, text, float(value), labels))
    return samples


def merge(snapshots: Iterable[Snapshot]) -> Snapshot:
    """The sum of several processes' figures, by name and labels, in the order first met.

    ValueError where one figure is of two kinds.
    """
    summed: dict[tuple[str, Labels], Sample] = {}
    for snapshot in snapshots:
        for sample in snapshot:
            key = (sample.name, sample.labels)
            known = summed.get(key)
            summed[key] = sample if known is None else _sum(known, sample)
    return list(summed.values())


def _sum(one: Sample, other: Sample) -> Sample:
    if one.kind != other.kind:
        raise ValueError(f"{one.name!r} is a {one.kind} here and a {other.kind} there; give each its own name")
    if isinstance(one.value, Distribution) and isinstance(other.value, Distribution):
        return dataclasses.replace(one, value=one.value + other.value)
    if isinstance(one.value, Distribution) or isinstance(other.value, Distribution):
        raise ValueError(f"{one.name!r} has a distribution for a value here and a number there")
    return dataclasses.replace(one, value=one.value + other.value)


def encode(snapshot: Snapshot) -> bytes:
    """The wire form: JSON, a row a sample; a distribution is [[[index, count], …], total in ns]."""
    rows = [[sample.name, sample.kind, sample.help, _plain(sample.value), sample.labels] for sample in snapshot]
    return json.dumps(rows).encode()


def _plain(value: Value) -> object:
    return [value.buckets, value.total_ns] if isinstance(value, Distribution) else value


def decode(data: bytes) -> Snapshot:
    """Back from the wire form. ValueError where it isn't one."""
    try:
        return [_sample(*row) for row in json.loads(data)]
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"not a snapshot: {error}") from error


def _sample(name: Any, kind: Any, text: Any, value: Any, labels: Any) -> Sample:
    if kind not in _KINDS:
        raise ValueError(f"no kind of figure: {kind!r}")
    read: Value
    if kind == "histogram":
        buckets, total_ns = value
        read = Distribution(tuple((int(index), int(count)) for index, count in buckets), int(total_ns))
    else:
        read = float(value)
    return Sample(str(name), kind, str(text), read, tuple((str(label), str(said)) for label, said in labels))
