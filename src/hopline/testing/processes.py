"""A real server process for the length of a `with`, stopped or killed by id, and never left behind.

The server leads a process group of its own, so that what it forks ends with it whatever happens to it, and a
Ctrl-C meant for the tests does not reach it. Its output goes to a file: a pipe that nobody reads would stop it.
"""

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Self

from hopline.errors import HoplineError

__all__ = ["ProcessFailed", "ServerProcess"]

POLL = 0.02  # seconds between two looks at another process
GONE_TIMEOUT = 1.0  # seconds that a killed group may take to be gone
OUTPUT_TAIL = 65_536  # bytes of output that output() returns at most


class ProcessFailed(HoplineError):
    """The process did not start, answer or end as it should; the message holds its last output."""


class ServerProcess:
    """One run of `command`. Not thread-safe; a `with` starts it, waits until it answers, and stops it.

    It answers once `ready()` is true or, by default, once `address` accepts a connection; with neither, as soon
    as it runs. `env` is added to this process's environment.
    """

    def __init__(
        self,
        command: Sequence[str | os.PathLike[str]],
        *,
        address: tuple[str, int] | None = None,
        ready: Callable[[], bool] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        start_timeout: float = 30.0,
        stop_timeout: float = 15.0,
    ) -> None:
        self.command = [os.fspath(part) for part in command]
        self._address = address
        self._ready = ready or self._accepts
        self._env = dict(env or {})
        self._cwd = cwd
        self._start_timeout = start_timeout
        self._stop_timeout = stop_timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None
        self._last_output = ""
        self._lifeline: socket.socket | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port it was said to listen on."""
        if self._address is None:
            raise ProcessFailed(f"{self._name} was given no address; pass address=(host, port)")
        return self._address

    @property
    def pid(self) -> int:
        """The id of the process, also once it has ended."""
        return self._running().pid

    @property
    def returncode(self) -> int | None:
        """Its exit code, minus the signal's number where one ended it; None while it runs."""
        return self._running().poll()

    def start(self) -> None:
        """Start it and wait until it answers. ProcessFailed, and nothing left running, where it does not."""
        if self._process is not None and self.returncode is None:
            raise ProcessFailed(f"{self._name} already runs as process {self.pid}; stop it first")
        self._close_files()
        self._process = None
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - close() closes it
        self._lifeline, theirs = socket.socketpair()
        self._lifeline.settimeout(GONE_TIMEOUT)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - to run what the test names is its purpose
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                cwd=self._cwd,
                env={**os.environ, **self._env},
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
            theirs.close()
            self._wait_ready()
        except BaseException:  # a KeyboardInterrupt, too, must leave nothing behind
            theirs.close()
            self.close()
            raise

    def _wait_ready(self) -> None:
        end = time.monotonic() + self._start_timeout
        while not self._ready():
            if self.returncode is not None:
                raise ProcessFailed(f"{self._name} ended with {self.returncode} before it answered{self._said()}")
            if time.monotonic() > end:
                raise ProcessFailed(f"{self._name} gave no answer in {self._start_timeout:g} s{self._said()}")
            time.sleep(POLL)

    def _accepts(self) -> bool:
        if self._address is None:
            return True
        try:
            socket.create_connection(self._address, timeout=1.0).close()
        except OSError:
            return False
        return True

    def signal(self, number: int) -> None:
        """Send a signal to the process alone, not to what it forked; nothing if it has ended."""
        self._running().send_signal(number)

    def wait(self, timeout: float) -> int:
        """Its exit code once it has ended; ProcessFailed if that takes over `timeout` seconds."""
        try:
            return self._running().wait(timeout)
        except subprocess.TimeoutExpired as expired:
            raise ProcessFailed(f"{self._name} still runs after {timeout:g} s{self._said()}") from expired

    def stop(self) -> int:
        """Ask it to end (SIGTERM) and return its exit code; ProcessFailed, and it is killed, if it does not."""
        self.signal(signal.SIGTERM)
        try:
            return self.wait(self._stop_timeout)
        finally:
            self.kill()

    def kill(self) -> None:
        """End it and all it forked at once (kill -9), and wait until they are gone. Idempotent."""
        process = self._running()
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # PermissionError: what macOS says of a group of zombies
            pass
        process.wait()
        # What it forked holds ports and file locks until it is gone, and is not ours to wait for; but each holds
        # the other end of this pair, too. The bound is for one that has left the group.
        if self._lifeline is not None:
            try:
                self._lifeline.recv(1)
            except TimeoutError:
                pass

    def output(self) -> str:
        """What it has written to stdout and stderr so far, at most the last 64 KiB; also after it has ended."""
        if self._output is None:
            return self._last_output
        # The file's offset is shared with the process, which writes at it: read without moving it.
        size = os.fstat(self._output.fileno()).st_size
        tail = os.pread(self._output.fileno(), OUTPUT_TAIL, max(0, size - OUTPUT_TAIL))
        return tail.decode("utf-8", "replace")

    def close(self) -> None:
        """Kill what still runs and drop the output. Idempotent."""
        if self._process is not None:
            self.kill()
        self._close_files()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        # No patience here: a test that cares how the server ends says so by stop().
        self.close()

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            raise ProcessFailed(f"{self._name} was not started; use `with` or start()")
        return self._process

    def _close_files(self) -> None:
        if self._lifeline is not None:
            self._lifeline.close()
            self._lifeline = None
        if self._output is not None:
            self._last_output = self.output()
            self._output.close()
            self._output = None

    @property
    def _name(self) -> str:
        return f"process {Path(self.command[0]).name!r}"

    def _said(self) -> str:
        text = self.output().strip()
        return f"; it said:\n{text}" if text else "; it said nothing"
