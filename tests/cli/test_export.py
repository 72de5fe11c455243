"""Exporting: whole files only, and going on after an interruption."""

import csv
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.fake_api import FakeApi


@pytest.fixture(autouse=True)
def _links(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPLINE_SERVER", api.url)
    for number in range(501):
        api.make({"url": f"https://a.example/{number}?q=1,2"})


def test_standard_output_gets_every_link(run: Run) -> None:
    rows = list(csv.DictReader(run("export").out.splitlines()))
    assert [row["url"] for row in rows] == [f"https://a.example/{n}?q=1,2" for n in reversed(range(501))]


def test_json_lines_hold_every_field(run: Run, tmp_path: Path) -> None:
    run("export", "--format", "jsonl", "--output", tmp_path / "all.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert len(lines) == 501
    assert lines[0]["custom"] is False


@pytest.mark.parametrize("format_", ["csv", "jsonl"])
def test_an_interrupted_export_goes_on_where_it_stopped(run: Run, api: FakeApi, tmp_path: Path, format_: str) -> None:
    whole, target = tmp_path / "whole", tmp_path / "target"
    run("export", "-o", whole, "--format", format_)
    api.fail_after = 2
    stopped = run("export", "-o", target, "--format", format_)
    assert stopped.status == 1
    assert stopped.err.startswith("hopline: stopped after 400 links: the connection")
    assert not target.exists()
    with Path(f"{target}.partial").open("ab") as partial:
        partial.write(b"half a row")  # what a crash in the middle of a page leaves
    api.fail_after = None
    api.requests.clear()
    resumed = run("export", "-o", target, "--format", format_, "--resume")
    assert "going on after 400 links" in resumed.err
    assert len(api.requests) == 1
    assert target.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["target", "whole"]


def test_resume_with_nothing_to_go_on_with_is_a_plain_export(run: Run, tmp_path: Path) -> None:
    assert run("export", "-o", tmp_path / "x", "--resume").status == 0
    assert run("export", "--resume").status == 2


def test_resume_refuses_the_remains_of_another_kind(run: Run, api: FakeApi, tmp_path: Path) -> None:
    api.fail_after = 1
    run("export", "-o", tmp_path / "x")
    api.fail_after = None
    assert "is another export" in run("export", "-o", tmp_path / "x", "--resume", "--format", "jsonl").err


def test_no_links_still_make_a_file(run: Run, api: FakeApi, tmp_path: Path) -> None:
    api.links.clear()
    assert run("export", "-o", tmp_path / "x").status == 0
    assert (tmp_path / "x").read_text().startswith("short_code,url,")
