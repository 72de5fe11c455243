"""The suite's own habits, seen from outside: under CI=true nothing is skipped, and async tests run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

SKIPS = {
    "by mark": "import pytest\n\n@pytest.mark.skip(reason='no chromium')\ndef test_x(): pass\n",
    "inside": "import pytest\n\ndef test_x():\n    pytest.skip('no chromium')\n",
    "in a fixture": (
        "import pytest\n\n@pytest.fixture\ndef x():\n    pytest.skip('no chromium')\n\ndef test_x(x): pass\n"
    ),
    "as a module": "import pytest\n\npytest.skip('no chromium', allow_module_level=True)\n",
}


def run(folder: Path, test: str, *, ci: str) -> subprocess.CompletedProcess[str]:
    """pytest on one test file, with this suite's conftest as a plugin."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_it.py").write_text(test)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-rA", "test_it.py"],
        cwd=folder,
        env={**os.environ, "CI": ci, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("test", SKIPS.values(), ids=SKIPS.keys())
def test_a_skip_fails_under_ci_and_says_what_was_missing(test: str, tmp_path: Path) -> None:
    result = run(tmp_path, test, ci="true")

    assert result.returncode != 0
    assert "nothing is skipped when CI=true, but: " in result.stdout
    assert "no chromium" in result.stdout
    assert "skipped" not in result.stdout.splitlines()[-1]


@pytest.mark.parametrize("test", SKIPS.values(), ids=SKIPS.keys())
def test_a_skip_is_a_skip_elsewhere(test: str, tmp_path: Path) -> None:
    result = run(tmp_path, test, ci="")

    assert result.returncode in (0, 5)  # 5: nothing was collected
    assert "1 skipped" in result.stdout


def test_an_expected_failure_is_no_skip(tmp_path: Path) -> None:
    test = "import pytest\n\n@pytest.mark.xfail(reason='known')\ndef test_x():\n    assert False\n"

    result = run(tmp_path, test, ci="true")

    assert (result.returncode, "1 xfailed" in result.stdout) == (0, True)


def test_an_async_test_is_awaited(tmp_path: Path) -> None:
    test = "import asyncio\n\nasync def test_x(tmp_path):\n    await asyncio.sleep(0)\n    assert tmp_path is None\n"

    result = run(tmp_path, test, ci="true")

    assert result.returncode == 1
    assert "assert tmp_path is None" in result.stdout
