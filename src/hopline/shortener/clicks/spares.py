"""One segment ahead: a thread that always has the next journal segment ready.

Filling 32 MiB with zeros and syncing them takes from 20 ms to seconds, which an event loop can't spend, and
it is where a full disk shows. So it happens one segment early. While no spare can be made the journal says
so in its stats and still has the rest of the current segment; tries are repeated with growing pauses.
"""

import threading
from collections.abc import Callable
from typing import Final

from hopline.shortener.clicks.segment import Segment

__all__ = ["Spares"]

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 5.0


class Spares:
    """Keeps one segment made by `create` in stock. `take` is for one thread and never waits.

    open() starts the thread; close() stops it and removes a spare that was never used.
    """

    def __init__(self, create: Callable[[], Segment]) -> None:
        self._create = create
        self._spare: Segment | None = None
        self._wake = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None
        self.failures = 0
        self.failing = False

    def open(self) -> None:
        """Start making the first spare."""
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="hopline-journal-spares", daemon=True)
        self._thread.start()

    def take(self) -> Segment | None:
        """The spare, if there is one; the next is then made. Returns at once."""
        # Only this method clears the slot and only the thread fills it when it is empty: no lock is needed.
        spare = self._spare
        if spare is not None:
            self._spare = None
            self._wake.set()
        return spare

    def close(self) -> None:
        """Stop the thread and remove the spare. Idempotent."""
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        spare, self._spare = self._spare, None
        if spare is not None:
            spare.discard()

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._closing:
            if self._spare is not None:
                self._wake.wait()
                self._wake.clear()
                continue
            try:
                self._spare = self._create()
            except OSError:
                self.failures += 1
                self.failing = True
                self._rest(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                self.failing = False
                pause = _FIRST_PAUSE

    def _rest(self, seconds: float) -> None:
        self._wake.wait(seconds)
        if not self._closing:
            self._wake.clear()
