"""Single links and lists, through a real socket to a fake API."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hopline.cli.links import moment
from tests.cli.conftest import Run
from tests.cli.fake_api import KEY, FakeApi


@pytest.fixture(autouse=True)
def _server(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPLINE_SERVER", api.url)


def test_shorten_prints_the_short_url_and_nothing_else(run: Run) -> None:
    ran = run("shorten", "https://a.example/", "--code", "hello")
    assert (ran.status, ran.out, ran.err) == (0, "https://sho.rt/hello\n", "")


def test_shorten_as_json_has_every_field(run: Run) -> None:
    link = json.loads(run("shorten", "https://a.example/", "--user", "u1", "--status", 301, "--json").out)
    assert (link["url"], link["user_id"], link["redirect_status"]) == ("https://a.example/", "u1", 301)


def test_a_refusal_is_one_line_with_the_field(run: Run) -> None:
    ran = run("shorten", "javascript:alert(1)")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == "hopline: refused: url: only http and https addresses can be shortened\n"


def test_a_taken_code_is_refused(run: Run) -> None:
    run("shorten", "https://a.example/", "--code", "x")
    assert (
        run("shorten", "https://b.example/", "--code", "x").err
        == "hopline: refused: custom_code: the code 'x' is taken\n"
    )


def test_lists_are_tab_separated_lines_for_a_program(run: Run) -> None:
    for number in range(3):
        run("shorten", f"https://a.example/{'x' * 200}{number}", "--code", f"c{number}")
    ran = run("links", "--limit", 2)
    lines = [line.split("\t") for line in ran.out.splitlines()]
    assert [(line[0], line[3]) for line in lines] == [
        ("c2", f"https://a.example/{'x' * 200}2"),
        ("c1", f"https://a.example/{'x' * 200}1"),
    ]


def test_all_links_come_over_many_pages(run: Run, api: FakeApi) -> None:
    for number in range(450):
        api.make({"url": f"https://a.example/{number}"})
    assert len(run("links", "--all").out.splitlines()) == 450
    assert len(json.loads(run("links", "--all", "--json").out)) == 450


def test_a_search_without_result_says_so_and_is_no_failure(run: Run) -> None:
    ran = run("links", "--search", "nothing")
    assert (ran.status, ran.out, ran.err) == (0, "", "no links with 'nothing'\n")


def test_show_takes_a_code_or_a_short_url(run: Run) -> None:
    run("shorten", "https://a.example/", "--code", "dir/ä")
    assert run("show", "dir/ä").out == run("show", "https://sho.rt/dir/%C3%A4").out != ""


def test_edit_changes_what_is_named_and_nothing_else(run: Run, api: FakeApi) -> None:
    run("shorten", "https://a.example/", "--code", "x", "--user", "u", "--expires", "7d")
    assert run("edit", "x", "--url", "https://b.example/", "--never-expires").status == 0
    link = api.links["x"]
    assert (link["url"], link["user_id"], link["expires_at"]) == ("https://b.example/", "u", None)


def test_an_edit_of_nothing_is_a_usage_error(run: Run) -> None:
    assert run("edit", "x").status == 2


def test_delete_asks_unless_told_yes_and_never_where_nobody_can_answer(run: Run, api: FakeApi) -> None:
    run("shorten", "https://a.example/", "--code", "x")
    refused = run("delete", "x")
    assert (refused.status, "x" in api.links) == (2, True)
    assert run("delete", "x", "--yes").status == 0
    assert "x" not in api.links


@pytest.mark.parametrize("arguments", [("show",), ("stats",), ("delete", "--yes"), ("edit", "--url", "http://b/")])
def test_an_unknown_code_is_said_plainly(run: Run, arguments: tuple[str, ...]) -> None:
    ran = run(arguments[0], "nowhere", *arguments[1:])
    assert ran.status == 1
    assert ran.err.startswith("hopline: no link has the code 'nowhere';")


def test_the_key_comes_from_a_file_where_the_environment_has_none(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HOPLINE_API_KEY")
    assert "wants an API key" in run("links").err
    usual = tmp_path / "config" / "hopline" / "key"
    usual.parent.mkdir(parents=True)
    usual.write_text(f"{KEY}\n")
    usual.chmod(0o600)
    assert run("links").err == "no links\n"
    other = tmp_path / "other"
    other.write_text("wrong")
    other.chmod(0o644)
    ran = run("links", "--key-file", other)
    assert ran.status == 1
    assert f"others can read the key file '{other}'; run: chmod 600" in ran.err


def test_a_key_that_no_header_can_carry_is_never_sent_nor_shown(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPLINE_API_KEY", "secret\r\nX-Evil: 1")
    ran = run("links")
    assert ran.status == 2
    assert "secret" not in ran.err


def test_escape_sequences_in_data_never_reach_the_terminal(run: Run, api: FakeApi) -> None:
    api.make({"url": "https://a.example/\x1b]0;owned\x07\u202e", "custom_code": "x"})
    for ran in (run("links"), run("show", "x")):
        assert not set("\x1b\x07\u202e") & set(ran.out)


@pytest.mark.parametrize(
    ("when", "sent"),
    [
        (None, None),
        ("30m", "2026-01-01T00:30:00+00:00"),
        ("7d", "2026-01-08T00:00:00+00:00"),
        ("4w", "2026-01-29T00:00:00+00:00"),
        ("2030-05-05", "2030-05-05"),
        ("later", "later"),
    ],
)
def test_expiry_is_counted_from_now_or_passed_on(when: str | None, sent: str | None) -> None:
    assert moment(when, datetime(2026, 1, 1, tzinfo=UTC)) == sent
