"""Statistics in the terminal."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from hopline.cli.api import DayClicks
from hopline.cli.stats import buckets
from tests.cli.conftest import Run
from tests.cli.fake_api import KEY, FakeApi


@pytest.fixture(autouse=True)
def answer(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A link with a month of clicks, some of them under hostile names."""
    monkeypatch.setenv("HOPLINE_SERVER", api.url)
    api.make({"url": "https://a.example/" + "long/" * 40, "custom_code": "x"})
    stats: dict[str, Any] = {
        "clicks": 12345,
        "humans": 12000,
        "bots": 345,
        "visitors": 900,
        "last_click": "2026-01-30T10:11:12.000Z",
        "by_day": [{"day": f"2026-01-{day:02}", "clicks": day * 7, "humans": 1} for day in range(1, 31)],
        "by_browser": [{"value": "Firefox", "clicks": 9000}, {"value": "Chrome", "clicks": 3000}],
        "by_referrer": [{"value": "\x1b[2Jевил.example/" + "ы" * 200, "clicks": 5}, {"value": "", "clicks": 1}],
        "by_country": [],
    }
    api.raw["/api/v1/links/x/stats"] = (200, "application/json", json.dumps(stats).encode())
    return stats


def test_totals_days_and_top_values_are_shown(run: Run) -> None:
    out = run("stats", "x").out
    assert "12,345 clicks: humans 12,000, bots 345, last 2026-01-30 10:11 UTC" in out
    assert "  2026-01-30     210 ███" in out.replace("210 █", "    210 █") or "2026-01-30 210 ███" in out
    assert "Firefox" in out
    assert "(none)" in out
    assert "country" not in out


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_no_line_is_wider_than_the_terminal(run: Run, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = run("stats", "x").out.splitlines()
    assert max(map(len, lines)) <= columns
    assert max(map(len, lines)) > columns - 3  # and the width there is gets used


def test_escape_sequences_never_reach_the_terminal(run: Run) -> None:
    assert "\x1b" not in run("stats", "x").out


def test_a_terminal_without_utf8_gets_ascii(api: FakeApi) -> None:
    environment = {**os.environ, "HOPLINE_SERVER": api.url, "HOPLINE_API_KEY": KEY, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from hopline.cli import main; sys.exit(main())", "stats", "x"],
        env=environment,
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.isascii()
    assert b"####" in done.stdout


def test_json_is_what_the_server_said(run: Run, answer: dict[str, Any]) -> None:
    assert json.loads(run("stats", "x", "--json").out) == answer


def test_a_year_is_shown_in_buckets_that_fit_a_screen_and_add_up() -> None:
    days = [DayClicks(f"d{number}", number) for number in range(366)]
    bars = buckets(days)
    assert len(bars) <= 31
    assert sum(clicks for _, clicks in bars) == sum(range(366))
    assert buckets(days[:31]) == [(day.day, day.clicks) for day in days[:31]]
