"""The child's side of supervision: when to stop, how to say that one is ready, what to leave alone.

Each child shares with its supervisor a socket pair, the line. The child writes to it when it is ready, or why it
could not start. The supervisor never writes: the line only ends, on purpose or because the supervisor is gone
(the kernel closes the descriptors of a process however it died), and both mean the same: stop. SIGTERM ends the
line from the child's own side, so that one descriptor, readable once it is time, serves loops and threads alike.
"""

import logging
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from hopline.errors import HoplineError

__all__ = ["MASKED", "READY", "Slot", "SlotContext", "Stop", "run_child"]

READY: Final = b"\0"  # what a child sends when it is ready; text instead is why it could not start
ERROR_SIZE: Final = 16_384  # bytes of a start-up error that are sent, the end of it: a line holds much more
OVERTIME: Final = 1.0  # seconds beyond its time after which a child that was told to stop ends itself

# Held back around a fork, until the child has its own handlers: a signal between the two would be lost.
MASKED: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD})

log = logging.getLogger("hopline.http")


class Stop:
    """Whether it is time to end: set for good by SIGTERM, by the supervisor, or by its death. Thread-safe."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._set = False

    def fileno(self) -> int:
        """A descriptor that is readable once it is time; for an event loop to watch, never to read."""
        return self._line.fileno()

    def is_set(self) -> bool:
        """Whether it is time; costs a system call until it is."""
        return self.wait(0.0)

    def wait(self, timeout: float | None = None) -> bool:
        """Block until it is time, at most `timeout` seconds; whether it is."""
        if not self._set:
            poll = select.poll()  # a new one each time: a poll object can't be shared between threads
            poll.register(self._line, select.POLLIN)
            self._set = bool(poll.poll(None if timeout is None else max(0.0, timeout) * 1000))
        return self._set

    def set(self) -> None:
        """Make it time. Idempotent."""
        self._set = True
        try:
            self._line.shutdown(socket.SHUT_RD)
        except OSError:
            pass  # macOS, where the other end is gone already: then it is readable anyway


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one process: what it is called, what it runs and the sockets it inherits.

    `run` returns once `context.stop` is set; sooner, or with an error, it is run again in a new process.
    Slots of stage 0 are stopped first; those of a later stage only when all before have ended. A reload leaves the
    process of a slot that does not reload as it is.
    """

    name: str
    run: Callable[["SlotContext"], None]
    sockets: Sequence[socket.socket] = ()
    stage: int = 0
    reloads: bool = True


class SlotContext:
    """What a child is given. `name` and `index`, its slot's place among all, are the same after a restart."""

    def __init__(self, slot: Slot, index: int, line: socket.socket) -> None:
        self.stop = Stop(line)
        self.sockets = list(slot.sockets)
        self.index = index
        self.name = slot.name
        self.is_ready = False
        self._line = line

    def ready(self) -> None:
        """Tell the supervisor that this child does its work from now on. Idempotent."""
        if not self.is_ready:
            self.is_ready = True
            self._send(READY)

    def failed(self, error: BaseException) -> None:
        """Pass on why the child ends: the supervisor says it once it gives up, the log at once if it was ready."""
        if self.is_ready:
            log.error("%s (process %d) failed", self.name, os.getpid(), exc_info=error)
        else:
            # Errors of our own are written for people; a traceback tells where to look for the others.
            lines = [str(error)] if isinstance(error, HoplineError) else traceback.format_exception(error)
            self._send("".join(lines).strip().encode("utf-8", "backslashreplace")[-ERROR_SIZE:])

    def _send(self, data: bytes) -> None:
        try:
            self._line.sendall(data)
        except OSError:
            pass  # the supervisor is gone, and the stop is set


def run_child(
    slot: Slot, index: int, line: socket.socket, foreign: Iterable[socket.socket], shutdown_timeout: float
) -> NoReturn:
    """Be the child of `slot`: from the fork to the end of the process.

    `foreign` sockets, which are other processes' business, are closed: a copy of another child's line would hide
    the supervisor's death from it. Ends by os._exit: what the supervisor registered to be done at its own exit is
    not the child's to do, and threads that still run are cut.
    """
    code = 1
    context = SlotContext(slot, index, line)
    try:
        _take_signals(context.stop)
        for other in foreign:
            other.close()
        threading.Thread(target=_end_in_time, args=(context.stop, slot.name, shutdown_timeout), daemon=True).start()
        slot.run(context)
        code = 0
    except BaseException as error:  # noqa: BLE001 - SystemExit, too, must not unwind into the supervisor's frames
        context.failed(error)
    finally:
        _flush()
        os._exit(code)


def _take_signals(stop: Stop) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    # A terminal sends these to the whole group, but the supervisor decides what they mean.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, MASKED)


def _end_in_time(stop: Stop, name: str, shutdown_timeout: float) -> None:
    """See to it that a stuck child whose supervisor is gone doesn't keep the port for ever."""
    signal.pthread_sigmask(signal.SIG_BLOCK, MASKED)  # a signal taken here would not wake the main thread
    stop.wait()
    time.sleep(shutdown_timeout + OVERTIME)
    log.error("%s (process %d) did not end in %.1f s and ends itself", name, os.getpid(), shutdown_timeout + OVERTIME)
    os.kill(os.getpid(), signal.SIGKILL)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass  # closed, full, or None where there is no terminal
