"""Bars drawn with characters."""

from hypothesis import given
from hypothesis import strategies as st

from hopline.cli.bars import bar, bar_lines


def test_the_largest_value_fills_the_width() -> None:
    assert bar(7, 7, 10, utf8=True) == "█" * 10
    assert bar(7, 7, 10, utf8=False) == "#" * 10


def test_bars_are_exact_to_an_eighth_of_a_cell() -> None:
    assert bar(1, 8, 1, utf8=True) == "▏"
    assert bar(12, 16, 2, utf8=True) == "█▌"


def test_a_single_click_among_millions_still_shows() -> None:
    assert bar(1, 10**7, 20, utf8=True) == "▏"
    assert bar(1, 10**7, 20, utf8=False) == "#"
    assert bar(0, 10**7, 20, utf8=True) == ""


@given(
    st.lists(st.tuples(st.text("abcdef ", max_size=80), st.integers(0, 10**12)), max_size=20),
    st.integers(40, 200),
    st.booleans(),
)
def test_no_line_is_wider_than_the_terminal(rows: list[tuple[str, int]], width: int, utf8: bool) -> None:
    assert all(len(line) <= width for line in bar_lines(rows, width, utf8=utf8))


def test_figures_stand_in_one_column() -> None:
    lines = bar_lines([("a", 5), ("long label", 1200)], 60, utf8=False)
    assert lines[0].index("5") == lines[1].index("1,200") + 4


def test_ascii_terminals_get_ascii_only() -> None:
    assert "".join(bar_lines([("x" * 100, 3), ("y", 9)], 60, utf8=False)).isascii()
