"""Listening on a path of the file system, and on sockets that the service manager made.

A Unix socket has one accept queue, which all workers share. Its file stays when its server is killed, and then
refuses every connection: such a stale one is removed before the start, one that somebody listens on never is.

systemd makes the sockets of a `.socket` unit before it starts the service, keeps them over restarts, and passes
them as descriptors from 3 on: https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html
"""

import errno
import os
import socket
import stat
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final, Self

from hopline.http.sockets import BACKLOG, ListenError

__all__ = ["InheritedListeners", "UnixListeners", "passed_sockets"]

FIRST_PASSED: Final = 3
MOST_PASSED: Final = 64  # more are a mistake
PATH_BYTES: Final = 107  # what fits the kernel's address; on macOS it is 103


class UnixListeners:
    """One listening socket on `path` for all `slots`; a `with` makes and removes it.

    `mode` is the file's: who may write to it may connect. The same face as Listeners.
    """

    def __init__(self, path: str, slots: int, mode: int = 0o660) -> None:
        self.path = path
        self.of_slot: list[list[socket.socket]] = []
        self._slots = slots
        self._mode = mode
        self._made: tuple[int, int] | None = None  # device and inode of our file

    @property
    def url(self) -> str:
        """How the server is named to people; a client needs to be told the path in its own way."""
        return f"unix:{self.path}"

    def open(self) -> None:
        """Bind and listen; ListenError, and nothing open, where that can't be."""
        if not self.path or len(os.fsencode(self.path)) > PATH_BYTES:
            raise self._error(f"a socket's path has 1 to {PATH_BYTES} bytes")
        self._remove_stale()
        listener = socket.socket(socket.AF_UNIX)
        try:
            before = os.umask(0o777)  # nobody connects before the mode is what it should be
            try:
                listener.bind(self.path)
            finally:
                os.umask(before)
            found = os.stat(self.path)  # noqa: PTH116 - the path is a string, as it was given
            self._made = (found.st_dev, found.st_ino)
            listener.setblocking(False)
            listener.listen(BACKLOG)
            Path(self.path).chmod(self._mode)
        except OSError as error:
            listener.close()
            self._remove_ours()
            raise self._error(_explain(error)) from error
        self.of_slot = [[listener] for _ in range(self._slots)]

    def close(self) -> None:
        """Close this process's copy and remove the file, if it is still ours. Idempotent."""
        for sockets in self.of_slot:
            for listener in sockets:
                listener.close()
        self._remove_ours()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _remove_stale(self) -> None:
        path = Path(self.path)
        try:
            if not stat.S_ISSOCK(path.lstat().st_mode):
                raise self._error("something else than a socket has that path; move it away, or take another path")
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(1.0)
                probe.connect(self.path)
        except FileNotFoundError:
            return
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise self._error(_explain(error)) from error
        else:
            raise self._error(f"another server listens there; see which with `ss -lxp src {self.path}`")

    def _remove_ours(self) -> None:
        made, self._made = self._made, None
        try:
            found = Path(self.path).lstat()
            if made == (found.st_dev, found.st_ino):
                Path(self.path).unlink()
        except OSError:
            pass  # somebody has removed it, or its folder

    def _error(self, reason: str) -> ListenError:
        return ListenError(self.url, None, reason)


def _explain(error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return "its folder, or the socket that is there, is not ours to write to"
    if error.errno == errno.ENOENT:
        return "its folder does not exist; make it first"
    return os.strerror(error.errno or 0).lower()


class InheritedListeners:
    """Sockets that somebody else made, for all `slots` alike; the same face as Listeners."""

    def __init__(self, sockets: list[socket.socket], slots: int) -> None:
        self.of_slot = [list(sockets) for _ in range(slots)]
        self._sockets = sockets

    @property
    def url(self) -> str:
        """Where the first of them listens."""
        name = self._sockets[0].getsockname()
        if not isinstance(name, tuple):
            return f"unix:{name}"
        return f"http://[{name[0]}]:{name[1]}" if ":" in name[0] else f"http://{name[0]}:{name[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for listener in self._sockets:
            listener.close()


def passed_sockets(environ: MutableMapping[str, str], pid: int) -> list[socket.socket]:
    """The listening sockets that the service manager passed to process `pid`; [] if none.

    Takes the variables out of `environ`, so that no program started from here believes they are its own. ListenError
    where what was passed can't be served.
    """
    count, whose = environ.get("LISTEN_FDS", ""), environ.get("LISTEN_PID", "")
    if not count or whose != str(pid):
        return []
    for name in ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"):
        environ.pop(name, None)
    if not count.isascii() or not count.isdigit() or not 0 < int(count) <= MOST_PASSED:
        raise ListenError("systemd", None, f"LISTEN_FDS must be 1 to {MOST_PASSED}, not {count!r}")
    return [_take(number) for number in range(FIRST_PASSED, FIRST_PASSED + int(count))]


def _take(number: int) -> socket.socket:
    try:
        os.set_inheritable(number, False)
        listener = socket.socket(fileno=number)
        listening = listener.type == socket.SOCK_STREAM and bool(
            listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        )
    except OSError as error:
        reason = f"descriptor {number}, passed as a socket, is none ({os.strerror(error.errno or 0).lower()})"
        raise ListenError("systemd", None, reason) from error
    if not listening:
        raise ListenError("systemd", None, f"descriptor {number} does not listen; use ListenStream= and Accept=no")
    listener.setblocking(False)
    return listener
