"""What a person at a terminal sees: a real pseudo-terminal, whose output is read to its end."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hopline.cli.terminal import clean
from tests.cli.fake_api import KEY, FakeApi

_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_COLOUR = re.compile(r"\x1b\[[0-9;]*[349][0-9][0-9;]*m")


def at_terminal(api: FakeApi, *arguments: str, **variables: str) -> str:
    """Everything `hopline` writes to a terminal of 60 columns."""
    here, there = pty.openpty()
    environment = {
        **{name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")},
        "HOPLINE_SERVER": api.url,
        "HOPLINE_API_KEY": KEY,
        "TERM": "xterm-256color",
        "COLUMNS": "60",
        **variables,
    }
    script = "import sys; from hopline.cli import main; sys.exit(main())"
    with subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdin=there, stdout=there, stderr=there, env=environment
    ) as process:
        os.close(there)
        written = bytearray()
        try:
            while chunk := os.read(here, 65536):
                written += chunk
        except OSError:  # EIO: the other side is closed
            pass
        finally:
            os.close(here)
        assert process.wait(timeout=60) == 0
    return written.decode()


@pytest.fixture(autouse=True)
def _links(api: FakeApi) -> None:
    for number in range(3):
        api.make({"url": f"https://a.example/{'long/' * 30}{number}", "custom_code": f"code{number}"})


def test_a_table_fits_the_terminal_and_shows_every_code(api: FakeApi) -> None:
    shown = _SEQUENCE.sub("", at_terminal(api, "links"))
    lines = [line for line in shown.splitlines() if line.strip()]
    assert max(map(len, lines)) <= 60
    assert all(f"code{number}" in shown for number in range(3))
    assert "https://a.example/long/" in shown


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_are_left_out_when_they_are_not_wanted(api: FakeApi, tmp_path: Path, variables: dict[str, str]) -> None:
    (tmp_path / "x.csv").write_text("".join(f"https://a.example/{number}\n" for number in range(1500)))
    for arguments in (["links"], ["import", str(tmp_path / "x.csv")]):
        assert not _COLOUR.search(at_terminal(api, *arguments, **variables))


def test_an_import_shows_its_progress_and_leaves_only_the_summary(api: FakeApi, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("".join(f"https://a.example/{number}\n" for number in range(1500)))
    shown = at_terminal(api, "import", str(tmp_path / "x.csv"))
    assert "importing" in shown
    assert "1,500 rows: 1,500 created" in shown.splitlines()[-1]


def test_a_terminal_without_utf8_gets_a_table_in_ascii(api: FakeApi) -> None:
    assert at_terminal(api, "links", PYTHONIOENCODING="ascii").isascii()


@pytest.mark.parametrize("text", ["a\x1b[31mb", "a\nb", "a\x9bb", "a\u202eb", "a\ud800b"])
def test_clean_text_is_one_line_that_steers_nothing(text: str) -> None:
    assert set(clean(text)) <= set("ab?[31m")
