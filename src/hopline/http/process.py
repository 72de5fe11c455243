"""The supervisor's side of one child: its fork, its line, its end. It decides nothing; see supervisor.py."""

import os
import signal
import socket
import sys
import time
from collections.abc import Iterable
from typing import Final

from hopline.http.child import MASKED, READY, Slot, run_child

__all__ = ["CLEAN_END", "ChildProcess"]

CLEAN_END: Final = "exit code 0"
HEARD_SIZE: Final = 65_536  # bytes of what a child says that are read at once


class ChildProcess:
    """A slot's process, and then the next one in its place. Belongs to the supervisor's only thread."""

    def __init__(self, slot: Slot, index: int) -> None:
        self.slot = slot
        self.index = index
        self.pid = 0  # of the last one, once there was one
        self.alive = False  # whether it is still to be reaped
        self.line: socket.socket | None = None  # our end; None once nothing more can come
        self.ready = False
        self.started = 0.0  # when it was forked
        self.restart_at: float | None = None  # when the next one is due
        self.crashes = 0  # in a row, without a stable time between
        self.failed_starts = 0  # in a row, without being ready between
        self.killed = False
        self._heard = b""

    @property
    def starting(self) -> bool:
        """Whether it runs and has not said that it is ready."""
        return self.alive and not self.ready

    @property
    def complaint(self) -> str:
        """Why the last process could not start, in its own words; empty if it said nothing."""
        return "" if self.ready else self._heard.decode("utf-8", "replace")

    def start(self, foreign: Iterable[socket.socket], shutdown_timeout: float) -> None:
        """Fork; OSError where the machine has no more processes or descriptors.

        `foreign` is what the child inherits without having a use for it.
        """
        self.restart_at, self.ready, self.killed, self._heard = None, False, False, b""
        self.started = time.monotonic()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()  # what is buffered now would be written twice
        held = signal.pthread_sigmask(signal.SIG_BLOCK, MASKED)
        try:
            pid = os.fork()
            if pid == 0:
                run_child(self.slot, self.index, theirs, (ours, *foreign), shutdown_timeout)
        except OSError:
            ours.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
            theirs.close()
        self.pid, self.alive, self.line = pid, True, ours

    def hear(self) -> None:
        """Take in what it has said."""
        while self.line is not None:
            try:
                said = self.line.recv(HEARD_SIZE)
            except BlockingIOError:
                return
            if not said:
                self.hang_up()
            elif said.startswith(READY):
                self.ready, self.failed_starts = True, 0
            else:
                self._heard += said  # bounded by what run_child sends

    def reap(self) -> str | None:
        """How it has ended, where it has; asks for this one id, so as to take no other code's children away."""
        if not self.alive:
            return None
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid == 0:
            return None
        self.hear()  # its last words came before its end
        self.hang_up()
        self.alive = False
        code = os.waitstatus_to_exitcode(status)
        return _signal_name(-code) if code < 0 else f"exit code {code}"

    def stop(self) -> None:
        """Ask it to end: by SIGTERM, and by ending the line in case the application took that signal for itself."""
        if self.line is not None:
            try:
                self.line.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it has ended, and is about to be reaped
        if self.alive:
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.killed = True
        if self.alive:
            os.kill(self.pid, signal.SIGKILL)

    def hang_up(self) -> None:
        """Close our end of the line: a child that still runs takes it for the supervisor's death. Idempotent."""
        if self.line is not None:
            self.line.close()
            self.line = None

    def close_sockets(self) -> None:
        """Close our copies of the slot's sockets: from here on only its process can accept. Idempotent."""
        for listener in self.slot.sockets:
            listener.close()

    def __str__(self) -> str:
        return f"{self.slot.name} (process {self.pid})"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"  # a real-time signal has no name of its own
