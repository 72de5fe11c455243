"""The command as a whole: help, exit statuses, start-up, pipes."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.fake_api import KEY, FakeApi

COMMANDS = [
    ["serve"],
    ["shorten"],
    ["links"],
    ["show"],
    ["edit"],
    ["delete"],
    ["stats"],
    ["import"],
    ["export"],
    ["keys", "create"],
    ["keys", "list"],
    ["keys", "revoke"],
    ["backup"],
    ["restore"],
    ["doctor"],
    ["http"],
    ["version"],
]
HOPLINE = [sys.executable, "-c", "import sys; from hopline.cli import main; sys.exit(main())"]


def test_every_command_is_in_the_table_above(run: Run) -> None:
    listed = re.findall(r"^  ([a-z]+)  ", run("--help").out, re.MULTILINE)
    assert sorted(listed) == sorted({command[0] for command in COMMANDS})


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(run: Run, command: list[str]) -> None:
    ran = run(*command, "--help")
    assert ran.status == 0
    assert f"Example: hopline {' '.join(command)}" in ran.out


def test_help_is_immediate_and_imports_nothing_heavy() -> None:
    script = (
        "import sys; from hopline.cli import main; main(['--help']); "
        "print(sorted({'rich', 'jinja2', 'sqlite3', 'uvloop', 'platformdirs', 'asyncio'} & set(sys.modules)))"
    )
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]"
    assert time.perf_counter() - started < 5  # 0.2 s on an idle machine; the imports above are the promise


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "no such command 'nonsense'"),
        (["stats"], "missing argument 'CODE'"),
        (["links", "--limit", "0"], "invalid value for '--limit'"),
        (["links", "--server", "nowhere"], "not a server's address: 'nowhere'"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_status_2(run: Run, arguments: list[str], said: str) -> None:
    ran = run(*arguments)
    assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert ran.err.startswith("hopline: ")
    assert said in ran.err


def test_version_is_printed_by_both_spellings(run: Run) -> None:
    assert run("--version").out == run("version").out
    assert run("version").out.startswith("hopline ")


def test_a_reader_that_goes_away_ends_the_command_quietly(api: FakeApi) -> None:
    for number in range(2000):
        api.make({"url": f"https://a.example/{'x' * 100}{number}"})
    environment = {**os.environ, "HOPLINE_SERVER": api.url, "HOPLINE_API_KEY": KEY}
    with subprocess.Popen(
        [*HOPLINE, "export"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 141


def test_no_colour_leaves_a_pipe(run: Run, api: FakeApi, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("https://a.example/\n")
    for arguments in (["links"], ["import", tmp_path / "x.csv"], ["export"], ["nonsense"]):
        ran = run(*arguments, "--server", api.url)
        assert "\x1b" not in ran.out + ran.err
