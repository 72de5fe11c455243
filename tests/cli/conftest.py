"""Fixtures of the command line's tests: a fake API, a quiet environment, a way to run `main` in this process."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hopline.cli import main
from hopline.testing import ServerProcess, free_port
from tests.cli import real
from tests.cli.fake_api import KEY, FakeApi, fake_api
from tests.cli.ran import Ran
from tests.cli.real import HOPLINE, ROWS, Hopline, serving

Run = Callable[..., Ran]


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with fake_api() as server:
        yield server


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine's own: no server, no key, no data folder, no colours."""
    for name in list(os.environ):
        if name.startswith("HOPLINE_") or name == "FORCE_COLOR":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOPLINE_API_KEY", KEY)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `hopline` with arguments, in this process."""

    def run(*arguments: object) -> Ran:
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(status, captured.out, captured.err)

    return run


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "served"


@pytest.fixture
def server(data_dir: Path) -> Iterator[ServerProcess]:
    with serving(data_dir, free_port()) as process:
        yield process


@pytest.fixture
def environment(server: ServerProcess) -> dict[str, str]:
    host, port = server.address
    return {**os.environ, "HOPLINE_SERVER": f"http://{host}:{port}", "HOPLINE_API_KEY": real.KEY}


@pytest.fixture
def hopline(environment: dict[str, str]) -> Hopline:
    """Run the command to its end."""

    def run(*arguments: object) -> Ran:
        command = [*HOPLINE, *map(str, arguments)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A file long enough to be interrupted in its middle."""
    path = tmp_path / "many.csv"
    path.write_text("url\n" + "".join(f"https://a.example/{number}\n" for number in range(ROWS)))
    return path
