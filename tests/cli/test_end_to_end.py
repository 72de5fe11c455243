"""The command line against the real server, both as processes of their own."""

import csv
import json
from pathlib import Path

from hopline.testing import ServerProcess, free_port
from tests.cli.real import Hopline, exported, follow, serving, until


def test_a_link_is_made_followed_counted_changed_and_deleted(hopline: Hopline) -> None:
    short = hopline("shorten", "https://example.com/A b?x=1", "--code", "hello").out.strip()
    assert short.endswith("/hello")
    assert [follow(short) for _ in range(3)] == [(302, "https://example.com/A%20b?x=1")] * 3
    until(lambda: json.loads(hopline("stats", "hello", "--json").out)["clicks"] == 3)
    assert "3 clicks" in hopline("stats", "hello").out
    assert "hello\t3\t" in hopline("links").out
    assert hopline("edit", "hello", "--url", "https://example.org/", "--status", 308).status == 0
    assert follow(short) == (308, "https://example.org/")
    assert hopline("delete", "hello", "--yes").status == 0
    assert follow(short)[0] in (404, 410)


def test_refusals_are_one_line_each(hopline: Hopline) -> None:
    hopline("shorten", "https://example.com/", "--code", "taken")
    for arguments, said in (
        (("shorten", "javascript:alert(1)"), "refused: url: "),
        (("shorten", "https://example.com/", "--code", "taken"), "refused: custom_code: "),
        (("shorten", "https://example.com/", "--expires", "2001-01-01"), "refused: expires_at: "),
        (("show", "nowhere"), "no link has the code 'nowhere'"),
    ):
        ran = hopline(*arguments)
        assert (ran.status, ran.err.count("\n")) == (1, 1)
        assert said in ran.err


def test_refused_rows_of_an_import_are_listed_with_reasons(hopline: Hopline, tmp_path: Path) -> None:
    path = tmp_path / "mixed.csv"
    path.write_text(
        "url,custom_code,expires_at\nhttps://a.example/,one,2040-01-01\nhttps://b.example/,one,\nftp://c.example/,,\n"
        "https://d.example/,,yesterday\nhttps://e.example/,api,\n"
    )
    ran = hopline("import", path)
    assert (ran.status, "5 rows: 1 created, 4 refused" in ran.err) == (3, True)
    with Path(f"{path}.refused.csv").open() as file:
        refused = {row["line"]: row["reason"].split(":")[0] for row in csv.DictReader(file)}
    assert refused == {"3": "custom_code", "4": "url", "5": "expires_at", "6": "custom_code"}


def test_an_export_is_imported_elsewhere_under_the_same_codes(hopline: Hopline, tmp_path: Path) -> None:
    for number in range(5):
        hopline("shorten", f"https://example.com/{number}", *(["--code", "mine"] if number == 0 else []))
    hopline("export", "--output", tmp_path / "all.csv")
    with serving(tmp_path / "other", free_port()) as other:
        ran = hopline("import", tmp_path / "all.csv", "--server", "http://{}:{}".format(*other.address))
        assert ran.status == 0, ran.err
        there = hopline("export", "--server", "http://{}:{}".format(*other.address)).out
    assert {row["short_code"]: row["url"] for row in csv.DictReader(there.splitlines())} == {
        row["short_code"]: row["url"] for row in exported(hopline)
    }


def test_keys_are_made_listed_and_revoked_while_the_server_runs(hopline: Hopline, data_dir: Path) -> None:
    made = json.loads(hopline("keys", "create", "news", "--role", "viewer", "--data-dir", data_dir, "--json").out)
    key_file = data_dir.parent / "key"
    key_file.write_text(made["key"])
    key_file.chmod(0o600)
    rows = [line.split("\t") for line in hopline("keys", "list", "--data-dir", data_dir).out.splitlines()]
    assert [made["id"], "news", "viewer"] in [row[:3] for row in rows]
    assert hopline("keys", "revoke", made["id"], "--data-dir", data_dir).status == 0
    assert hopline("keys", "revoke", made["id"], "--data-dir", data_dir).status == 1
    assert hopline("keys", "create", "x", "--role", "king", "--data-dir", data_dir).status == 1
    assert hopline("keys", "list", "--data-dir", data_dir.parent / "nowhere").status == 1


def test_doctor_finds_a_running_server_in_order(hopline: Hopline, data_dir: Path, server: ServerProcess) -> None:
    ran = hopline("doctor", "--data-dir", data_dir, "--port", server.address[1])
    assert ran.status == 0, ran.out
    assert "a server runs on this data folder" in ran.out
    checks = json.loads(hopline("doctor", "--data-dir", data_dir, "--port", server.address[1], "--json").out)
    assert {"links.db", "clicks.db", "journal", "port"} <= {check["name"] for check in checks}
    (data_dir / "secret.key").chmod(0o644)
    ran = hopline("doctor", "--data-dir", data_dir, "--port", server.address[1])
    assert (ran.status, "run: chmod 600" in ran.out) == (1, True)
