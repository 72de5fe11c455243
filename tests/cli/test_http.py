"""`hopline http module:name` serves what is there, and says in one line why it can't."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from hopline.cli.errors import CliError
from hopline.cli.http import load
from hopline.http import App
from tests.cli.conftest import Run

SHOP = """
import os
from hopline.http import App, Response

app = App()
app.get("/")(lambda request: Response("app"))

async def application(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": str(os.getppid()).encode()})

class Callable:
    async def __call__(self, scope, receive, send):
        await application(scope, receive, send)

class Names:
    asgi = Callable()

def make():
    return app

def make_asgi(name="x"):
    return application

def make_none():
    return None

number = 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "shop_of_test.py").write_text(SHOP)
    (tmp_path / "broken_of_test.py").write_text("import nothing_of_the_kind\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    yield tmp_path
    sys.modules.pop("shop_of_test", None)


@pytest.mark.parametrize("name", ["app", "application", "make", "make_asgi", "Names.asgi", "Callable"])
def test_what_can_be_served(folder: Path, name: str) -> None:
    assert isinstance(load(f"shop_of_test:{name}"), App)


def test_a_factory_that_makes_nothing(folder: Path) -> None:
    with pytest.raises(CliError, match="made a NoneType"):
        load("shop_of_test:make_none")


@pytest.mark.parametrize(
    ("target", "message", "status"),
    [
        ("shop_of_test", "must be MODULE:NAME", 2),
        ("shop_of_test.py:app", "no module 'shop_of_test.py'", 1),
        ("../shop_of_test:app", "must be MODULE:NAME", 2),
        ("nothing_of_the_kind:app", "no module 'nothing_of_the_kind'", 2),
        ("shop_of_test.inner:app", "no module 'shop_of_test.inner'", 1),
        ("shop_of_test:nothing", "has no 'nothing'", 1),
        ("shop_of_test:number", "of type int", 1),
        ("broken_of_test:app", "can't be imported: ModuleNotFoundError", 1),
    ],
)
def test_what_can_not_is_one_line(run: Run, folder: Path, target: str, message: str, status: int) -> None:
    ran = run("http", target)
    assert (ran.status, ran.out) == (status, "")
    assert ran.err.count("\n") == 1
    assert ran.err.startswith("hopline: ")
    assert message in ran.err
    assert "shop_of_test" not in sys.modules  # for the workers to import


@pytest.mark.parametrize("option", ["--workers=0", "--port=70000"])
def test_an_option_out_of_range_is_one_line(run: Run, folder: Path, option: str) -> None:
    ran = run("http", "shop_of_test:app", option)
    assert (ran.status, ran.err.count("\n")) == (2, 1)


def test_help_has_an_example(run: Run) -> None:
    assert "Example: hopline http shop.main:app --port 8000" in " ".join(run("http", "--help").out.split())


def test_it_serves_with_workers_and_stops(folder: Path) -> None:
    command = [sys.executable, "-m", "hopline", "http", "shop_of_test:application", "--port", "0", "--workers", "2"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        url = re.fullmatch(r"shop_of_test:application is served on (http://127\.0\.0\.1:\d+)\n", line)
        assert url is not None, line
        assert httpx.get(url[1]).text == str(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
