"""Starts a scenario of supervised.py in a process of its own, and waits for what it says and does."""

import os
import re
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from hopline.testing import ServerProcess

SCRIPT = Path(__file__).with_name("supervised.py")
PATIENCE = 20.0  # seconds that anything may take on a busy machine; nothing waits that long on a good day


class Supervised(ServerProcess):
    """A scenario under way."""

    def __init__(self, scenario: str, *arguments: str | Path, until: str | None = "ready ") -> None:
        says = None if until is None else lambda: until in self.output()
        super().__init__([sys.executable, SCRIPT, scenario, *arguments], ready=says, start_timeout=PATIENCE)

    def end(self) -> int:
        """Its exit code, once it has ended."""
        return self.wait(PATIENCE)

    def pids(self, event: str) -> list[int]:
        """The processes that said `event`, in the order in which they did."""
        return [int(pid) for pid in re.findall(rf"^{event} (\d+)$", self.output(), re.MULTILINE)]

    def connect(self) -> socket.socket:
        """A connection to the server."""
        port = re.search(r"^ready https?://.*:(\d+) ", self.output(), re.MULTILINE)
        assert port is not None, self.output()
        return socket.create_connection(("127.0.0.1", int(port[1])), timeout=PATIENCE)

    def ask(self) -> int:
        """The id of the worker that answers."""
        with self.connect() as connection:
            return answer(connection)

    def until(self, condition: Callable[[], object]) -> None:
        """Wait until `condition()` is true."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.01)


def answer(connection: socket.socket) -> int:
    """What a worker says on `connection`: its process id."""
    data = b""
    while part := connection.recv(64):
        data += part
    return int(data)


def gone(pid: int) -> bool:
    """Whether the process has ended; a zombie has: who inherits an orphan may be slow to notice."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return sys.platform == "linux"
