"""Bars drawn with characters: pure, exact to an eighth of a cell where the terminal has block characters."""

from collections.abc import Sequence
from typing import Final

__all__ = ["bar", "bar_lines"]

_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_NARROWEST_BAR: Final = 4


def bar(value: int, largest: int, width: int, *, utf8: bool) -> str:
    """A bar of at most `width` cells for `value` of `largest`; anything above zero shows at least a trace."""
    if value <= 0 or largest <= 0 or width <= 0:
        return ""
    if not utf8:
        return "#" * max(1, min(width, round(value * width / largest)))
    eighths = max(1, min(width * 8, round(value * width * 8 / largest)))
    full, rest = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")


def bar_lines(rows: Sequence[tuple[str, int]], width: int, *, utf8: bool) -> list[str]:
    """One line a row: label, bar, figure, none longer than `width` unless there isn't room for anything.

    Labels give way first: they are cut at half the width, with a mark.
    """
    if not rows:
        return []
    figures = [f"{value:,}" for _, value in rows]
    figure_width = max(map(len, figures))
    most = max(min(width // 2 - 2, width - figure_width - _NARROWEST_BAR - 4), 4)
    label_width = min(max(len(label) for label, _ in rows), most)
    room = max(width - label_width - figure_width - 4, _NARROWEST_BAR)
    largest = max(value for _, value in rows)
    return [
        f"  {_fitted(label, label_width, utf8=utf8)} {figure:>{figure_width}} "
        f"{bar(value, largest, room, utf8=utf8)}".rstrip()
        for (label, value), figure in zip(rows, figures, strict=True)
    ]


def _fitted(label: str, width: int, *, utf8: bool) -> str:
    if len(label) <= width:
        return label.ljust(width)
    mark = "…" if utf8 else "..."
    return label[: width - len(mark)] + mark
