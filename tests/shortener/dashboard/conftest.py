"""One `hopline serve` for all the tests of pages, on a free port, with a data folder of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hopline.testing import ServerProcess, free_port
from tests.shortener.dashboard.visitor import PageVisitor

HOPLINE = Path(sys.executable).with_name("hopline")
ADMIN_KEY = "hop_" + "a" * 43


@dataclass(frozen=True)
class Server:
    """Where the server is and what opens it."""

    url: str
    data_dir: Path
    admin_key: str = ADMIN_KEY

    def make_key(self, role: str) -> str:
        """A new key of `role`, made the way an operator makes one."""
        return self.hopline("keys", "create", f"a {role}", "--role", role, "--data-dir", str(self.data_dir)).strip()

    @staticmethod
    def hopline(*arguments: str) -> str:
        """What `hopline` prints."""
        command = [str(HOPLINE), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    port = free_port()
    data_dir = tmp_path_factory.mktemp("dashboard")
    env = {
        "HOPLINE_ADMIN_KEY": ADMIN_KEY,
        "HOPLINE_DATA_DIR": os.fspath(data_dir),
        "HOPLINE_PORT": str(port),
        "HOPLINE_HOST": "127.0.0.1",
    }
    with ServerProcess([HOPLINE, "serve"], address=("127.0.0.1", port), env=env, cwd=data_dir):
        yield Server(f"http://127.0.0.1:{port}", data_dir)


@pytest.fixture
def stranger(server: Server) -> Iterator[PageVisitor]:
    """Someone who has not signed in."""
    with PageVisitor(server.url) as visitor:
        yield visitor


@pytest.fixture
def admin(server: Server) -> Iterator[PageVisitor]:
    """Someone who has signed in with the admin key."""
    with PageVisitor(server.url) as visitor:
        visitor.sign_in(server.admin_key)
        yield visitor


@pytest.fixture
def viewer(server: Server) -> Iterator[PageVisitor]:
    """Someone who has signed in with a key that may only look."""
    with PageVisitor(server.url) as visitor:
        visitor.sign_in(server.make_key("viewer"))
        yield visitor
