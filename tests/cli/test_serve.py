"""`hopline serve` hands every setting on."""

import dataclasses
import inspect
import sys
from pathlib import Path
from types import ModuleType

import pytest

from hopline.cli.serve import serve
from hopline.shortener.settings import Settings
from tests.cli.conftest import Run


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings of each start, none of which starts anything."""
    settings: list[Settings] = []
    main = ModuleType("hopline.shortener.main")

    def run(given: Settings) -> int:
        settings.append(given)
        return 7

    vars(main)["run"] = run
    monkeypatch.setitem(sys.modules, "hopline.shortener.main", main)
    return settings


def test_every_setting_is_an_option_but_the_secret_one() -> None:
    settings = {entry.name for entry in dataclasses.fields(Settings)}
    assert set(inspect.signature(serve).parameters) == settings - {"admin_key"} | {"config"}


def test_options_go_before_variables_before_the_file(
    run: Run, started: list[Settings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "hopline.toml").write_text('port = 1000\nworkers = 2\nhost = "127.0.0.3"\n')
    monkeypatch.setenv("HOPLINE_PORT", "2000")
    monkeypatch.setenv("HOPLINE_WORKERS", "3")
    ran = run("serve", "--port", 3000, "--config", tmp_path / "hopline.toml", "--data-dir", tmp_path)
    (settings,) = started
    assert (settings.port, settings.workers, settings.host, settings.data_dir) == (3000, 3, "127.0.0.3", tmp_path)
    assert ran.status == 7  # the server's own exit status


def test_a_bad_setting_is_one_line_that_names_its_source(
    run: Run, started: list[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOPLINE_WORKERS", "many")
    ran = run("serve")
    assert (ran.status, started, ran.err.count("\n")) == (1, [], 1)
    assert ran.err.startswith("hopline: HOPLINE_WORKERS")
