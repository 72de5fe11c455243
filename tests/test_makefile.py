"""The front door: help tells of every command, and a machine without a fit Python is told what to do."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Not as a child of the `make test` that may have started us.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PYTHON"))}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A folder with a Makefile and nothing installed."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_make_lists_every_command_with_what_it_does() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

    result = make(ROOT)

    assert re.findall(r"^  make (\w+) +\w", result.stdout, re.MULTILINE) == phony.split()


def test_without_a_fit_python_it_says_what_to_do(fresh: Path) -> None:
    old = script(fresh / "python3.10", "exit 1")  # what a Python says that is too old

    result = make(fresh, "serve", f"PYTHON={old}")

    assert result.returncode == 2
    assert result.stderr.startswith(f"hopline needs Python 3.11 or later, and {old} is not it;")
    assert "make serve PYTHON=/path/to/python3" in result.stderr
    assert not (fresh / ".venv").exists()


def test_without_the_venv_module_it_says_what_to_install(fresh: Path) -> None:
    bare = script(fresh / "python3", 'case "$*" in *"-m venv"*) mkdir .venv; exit 1;; esac')

    result = make(fresh, "test", f"PYTHON={bare}")

    assert result.returncode == 2
    assert "apt-get install python3-venv" in result.stderr
    assert not (fresh / ".venv").exists()


def installed(folder: Path) -> None:
    """Pretend that an earlier run has installed everything."""
    commands = folder / ".venv/bin"
    commands.mkdir(parents=True)
    script(commands / "python", 'echo "python $*"')
    script(commands / "hopline", 'echo "hopline $* on $HOPLINE_PORT"')
    for stamp in (".made", ".serve", ".dev"):
        (folder / ".venv" / stamp).touch()


def test_a_second_run_installs_nothing_and_passes_everything_on(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(fresh)
    monkeypatch.setenv("HOPLINE_PORT", "9000")

    served = make(fresh, "serve", "ARGS=--host ::1 --workers 2")
    tested = make(fresh, "test", "TESTARGS=-x tests/cache")

    assert served.stdout == "hopline serve --host ::1 --workers 2 on 9000\n"
    assert tested.stdout == "python -m pytest -m not soak -x tests/cache\n"


def test_a_changed_pyproject_installs_again_only_what_is_asked_for(fresh: Path) -> None:
    installed(fresh)
    later = (fresh / ".venv/.made").stat().st_mtime + 10
    os.utime(fresh / "pyproject.toml", (later, later))

    served = make(fresh, "serve")

    assert "installing what the server needs" in served.stdout
    assert "pip install --quiet --disable-pip-version-check -e .[shortener]" in served.stdout
