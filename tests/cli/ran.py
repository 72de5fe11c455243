"""What a run of the command leaves behind."""

from dataclasses import dataclass

__all__ = ["Ran"]


@dataclass(frozen=True, slots=True)
class Ran:
    """Its exit status, and what it wrote where."""

    status: int
    out: str
    err: str
