"""Importing: batches, refusals, patience, and going on after every kind of interruption."""

import csv
import io
import json
from pathlib import Path

import pytest

from hopline.cli import importer
from hopline.cli.api import Api
from hopline.cli.client import Client
from hopline.cli.errors import CliError
from hopline.cli.import_rows import Row
from hopline.cli.import_state import Done
from tests.cli.conftest import Run
from tests.cli.fake_api import KEY, FakeApi


@pytest.fixture(autouse=True)
def waits(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits are noted instead of waited."""
    noted: list[float] = []
    monkeypatch.setenv("HOPLINE_SERVER", api.url)
    monkeypatch.setattr(importer.Importer.__init__, "__kwdefaults__", {**_defaults(), "sleep": noted.append})
    return noted


def _defaults() -> dict[str, object]:
    return dict(importer.Importer.__init__.__kwdefaults__ or {})


@pytest.fixture
def links_csv(tmp_path: Path) -> Path:
    """1,200 rows, three batches."""
    path = tmp_path / "links.csv"
    path.write_text("url\n" + "".join(f"https://a.example/{number}\n" for number in range(1200)))
    return path


def urls(api: FakeApi) -> list[str]:
    return sorted(link["url"] for link in api.links.values())


def test_rows_go_in_batches_of_500(run: Run, api: FakeApi, links_csv: Path) -> None:
    ran = run("import", links_csv)
    assert (ran.status, api.batches, len(set(urls(api)))) == (0, [500, 500, 200], 1200)
    assert ran.err.startswith("1,200 rows: 1,200 created (")


def test_long_rows_make_smaller_batches(run: Run, api: FakeApi, tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("".join(f"https://a.example/{'x' * 8000}{number}\n" for number in range(100)))
    assert run("import", path).status == 0
    assert max(api.batches) < 40


def test_refused_rows_are_listed_with_line_and_reason_and_can_be_imported_once_corrected(
    run: Run, api: FakeApi, tmp_path: Path
) -> None:
    path = tmp_path / "mixed.csv"
    path.write_text(
        "url,custom_code\nhttps://a.example/,one\njavascript:alert(1),two\nhttps://b.example/,one\n,three\n"
    )
    ran = run("import", path)
    assert ran.status == 3
    assert f"4 rows: 1 created, 3 refused, see {path}.refused.csv" in ran.err
    refused = Path(f"{path}.refused.csv")
    with refused.open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["line"], row["reason"]) for row in rows] == [
        ("3", "url: only http and https addresses can be shortened"),
        ("4", "custom_code: the code 'one' is taken"),
        ("5", "url: missing"),
    ]
    corrected = tmp_path / "corrected.csv"
    corrected.write_text(refused.read_text().replace("javascript:alert(1)", "https://c.example/"))
    run("import", corrected)
    assert api.links["two"]["url"] == "https://c.example/"


def test_a_finished_import_is_not_done_again(run: Run, api: FakeApi, links_csv: Path) -> None:
    run("import", links_csv)
    ran = run("import", links_csv)
    assert (ran.status, len(api.links)) == (0, 1200)
    assert "imported before" in ran.err


def test_totals_come_as_json(run: Run, links_csv: Path) -> None:
    totals = json.loads(run("import", links_csv, "--json").out)
    assert (totals["rows"], totals["created"], totals["refused"]) == (1200, 1200, 0)


def test_output_maps_each_url_to_its_short_url(run: Run, api: FakeApi, links_csv: Path, tmp_path: Path) -> None:
    output = tmp_path / "short.csv"
    api.faults = [None, "lost-after"]
    run("import", links_csv, "--output", output)
    run("import", links_csv, "--output", output)
    with output.open() as file:
        mapping = {row["url"]: row["short_url"] for row in csv.DictReader(file)}
    assert mapping == {link["url"]: link["short_url"] for link in api.links.values()}


@pytest.mark.parametrize("fault", ["lost-before", "lost-after"])
@pytest.mark.parametrize("batch", [0, 1, 2])
def test_a_lost_connection_stops_plainly_and_the_rerun_creates_nothing_twice(
    run: Run, api: FakeApi, links_csv: Path, fault: str, batch: int
) -> None:
    api.faults = [None] * batch + [fault]
    stopped = run("import", links_csv)
    assert stopped.status == 1
    assert stopped.err.startswith(f"hopline: stopped after row {batch * 500:,}: the connection to")
    assert stopped.err.endswith("run the same command to go on\n")
    assert run("import", links_csv).status == 0
    assert urls(api) == sorted(f"https://a.example/{number}" for number in range(1200))


def test_interrupted_again_and_again_it_still_creates_nothing_twice(run: Run, api: FakeApi, links_csv: Path) -> None:
    api.faults = ["lost-after", "lost-before", "lost-after", None, "lost-after", "lost-before"]
    statuses = [run("import", links_csv).status for _ in range(6)]
    assert statuses[-1] == 0
    assert len(api.links) == len(set(urls(api))) == 1200


def test_equal_rows_within_and_across_batches_are_each_created_once(run: Run, api: FakeApi, tmp_path: Path) -> None:
    path = tmp_path / "same.csv"
    path.write_text("https://same.example/\n" * 1100)
    api.faults = [None, "lost-after"]
    run("import", path)
    run("import", path)
    assert len(api.links) == 1100


def test_links_of_the_batch_before_are_not_taken_for_the_lost_one(run: Run, api: FakeApi, tmp_path: Path) -> None:
    path = tmp_path / "same.csv"
    path.write_text("https://same.example/\n" * 1000)
    api.now = 1_800_000_000.5  # a clock that stands still: both batches carry the same millisecond
    api.faults = [None, "lost-before"]
    run("import", path)
    run("import", path)
    assert len(api.links) == 1000


def test_links_made_before_the_import_are_not_taken_for_its_own(run: Run, api: FakeApi, links_csv: Path) -> None:
    api.now = 1_700_000_000.0
    for number in range(300):
        api.make({"url": f"https://a.example/{number}"})
    api.now = 1_700_000_001.0
    api.faults = ["lost-before"]
    run("import", links_csv)
    run("import", links_csv)
    assert len(api.links) == 1500


def test_rows_with_codes_are_recognised_after_a_lost_answer(run: Run, api: FakeApi, tmp_path: Path) -> None:
    path = tmp_path / "codes.csv"
    path.write_text("url,custom_code\n" + "".join(f"https://a.example/{n},code{n}\n" for n in range(40)))
    api.faults = ["lost-after"]
    assert run("import", path).status == 1
    ran = run("import", path)
    assert ran.status == 0
    assert "40 rows: 0 created, 40 there already" in ran.err


def test_rows_refused_before_an_interruption_are_listed_once(run: Run, api: FakeApi, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("url\n" + "ftp://a.example/\n" * 700)
    api.faults = [None, "lost-after"]
    run("import", path)
    ran = run("import", path)
    assert (ran.status, len(Path(f"{path}.refused.csv").read_text().splitlines())) == (3, 701)


def test_what_was_written_but_not_recorded_is_cut_off(run: Run, api: FakeApi, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("url\n" + "ftp://a.example/\n" * 700)
    api.faults = [None, "lost-before"]
    run("import", path)
    with Path(f"{path}.refused.csv").open("a") as file:
        file.write("700,half a li")
    with Path(f"{path}.progress").open("a") as file:
        file.write('{"type":"done","rows":7')
    run("import", path)
    lines = Path(f"{path}.refused.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == [str(number) for number in range(2, 702)]


def test_a_busy_server_is_waited_for_as_long_as_it_asks(
    run: Run, api: FakeApi, links_csv: Path, waits: list[float]
) -> None:
    api.faults = ["busy", "busy-silent", None, "busy"]
    ran = run("import", links_csv)
    assert (ran.status, waits, len(api.links)) == (0, [7.0, 2.0, 7.0], 1200)
    assert "waiting 7 s because the server is busy" in ran.err


def test_patience_ends(run: Run, api: FakeApi, links_csv: Path, waits: list[float]) -> None:
    api.faults = ["busy"] * 100
    ran = run("import", links_csv)
    assert (ran.status, len(waits)) == (1, 7)
    assert "can't take this now" in ran.err


def test_another_file_under_the_same_name_is_not_taken_for_the_first(run: Run, api: FakeApi, links_csv: Path) -> None:
    api.faults = [None, "lost-before"]
    run("import", links_csv)
    links_csv.write_text("url\nhttps://other.example/\n")
    ran = run("import", links_csv)
    assert ran.status == 1
    assert "belongs to another file or server" in ran.err


def test_two_imports_of_one_file_exclude_each_other(run: Run, api: FakeApi, links_csv: Path) -> None:
    from hopline.cli.import_state import ImportState, Source

    with ImportState(Path(f"{links_csv}.progress"), Source(api.url, 0, "")):
        assert "another import of this file is running" in run("import", links_csv).err


def test_standard_input_is_imported_without_leaving_a_progress_file(
    run: Run, api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"https://a.example/\nhttps://b.example/\n")))
    assert run("import", "-").status == 0
    assert (len(api.links), list(tmp_path.iterdir())) == (2, [])


def test_a_missing_file_is_one_line(run: Run) -> None:
    ran = run("import", "/no/such/file.csv")
    assert (ran.status, ran.err) == (1, "hopline: '/no/such/file.csv' can't be read: No such file or directory\n")


def test_an_export_is_a_file_to_import(run: Run, api: FakeApi, tmp_path: Path) -> None:
    for number in range(450):
        api.make({"url": f"https://a.example/{number}", "user_id": f"ü{number}", "expires_at": None})
    before = {code: (link["url"], link["user_id"]) for code, link in api.links.items()}
    assert run("export", "-o", tmp_path / "all.csv").status == 0
    api.links.clear()
    assert run("import", tmp_path / "all.csv").status == 0
    assert {code: (link["url"], link["user_id"]) for code, link in api.links.items()} == before


def test_progress_that_failed_to_be_recorded_leaves_the_batch_in_flight(api: FakeApi, tmp_path: Path) -> None:
    class Failing(importer.Volatile):
        def write(self, record: object) -> None:
            if isinstance(record, Done):
                raise OSError("disk full")

    rows = [Row(1, {"url": "https://a.example/"})]
    with Client(api.url, KEY) as client, importer.RowFile(tmp_path / "refused", ("line",)) as refused:
        with pytest.raises(OSError, match="disk full"):
            importer.Importer(Api(client), Failing(), refused).run(rows)


def test_a_refused_file_that_vanished_is_not_silently_begun_anew(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="is gone since the import began"), importer.RowFile(tmp_path / "x", ("a",), 10):
        pass
