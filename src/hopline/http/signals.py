"""Signals as something to wait for, without a gap in which one is lost.

Handlers only set a flag; what wakes the waiting poll is a byte on a socket pair (`signal.set_wakeup_fd`), so a
signal that comes just before the poll ends it at once: the self-pipe trick, https://cr.yp.to/docs/selfpipe.html
"""

import os
import select
import signal
import socket
import threading
import time
from collections.abc import Iterable
from typing import Any, Final, Self

__all__ = ["SignalWatch"]

REPEAT_SECONDS: Final = 0.5  # a second signal within this is the same Ctrl-C, passed on by what started us


class SignalWatch:
    """What signals asked of this process while the `with` lasts, and a wait that any of them ends.

    `asked` once SIGTERM or SIGINT came, `repeated` once another did. `reload` once SIGHUP came, for the reader to
    take back; but where it says that the terminal has gone, it asks to end. Main thread only; what was there
    before is put back. `pipe` is open while the `with` lasts, and of no use to a forked child.
    """

    def __init__(self) -> None:
        self.asked = False
        self.repeated = False
        self.reload = False
        self.pipe: tuple[socket.socket, ...] = ()
        self._first = 0.0
        self._has_terminal = False
        self._before: dict[int, Any] = {}
        self._wakeup_before = -1

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("only the main thread can take signals; call serve() from it")
        reader, writer = self.pipe = socket.socketpair()
        reader.setblocking(False)
        writer.setblocking(False)
        self._wakeup_before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._ask)
        self._has_terminal = _has_terminal()
        self._before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._hang_up)
        # Without a handler of Python's the signal would be dropped by the system and write no byte.
        self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(self._wakeup_before)
        for end in self.pipe:
            end.close()

    def _ask(self, *_: object) -> None:
        now = time.monotonic()
        if not self.asked:
            self.asked, self._first = True, now
        elif now - self._first >= REPEAT_SECONDS:
            self.repeated = True

    def _hang_up(self, *_: object) -> None:
        if self._has_terminal and not _has_terminal():
            self._ask()
        else:
            self.reload = True

    def wait(self, lines: Iterable[socket.socket], timeout: float | None) -> None:
        """Block until a signal has come, one of `lines` can be read, or `timeout` seconds have passed."""
        poll = select.poll()
        for end in (self.pipe[0], *lines):
            poll.register(end, select.POLLIN)
        poll.poll(None if timeout is None else timeout * 1000)
        try:
            while self.pipe[0].recv(4096):
                pass
        except BlockingIOError:
            pass


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
