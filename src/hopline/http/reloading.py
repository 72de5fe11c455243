"""A rolling reload: every process replaced by a new one, without a connection refused or reset.

Slot by slot, a successor is forked that inherits the very same listening sockets. Both accept from one queue until
the successor says that it is ready; only then is its predecessor told to stop, which takes no further connection,
answers what it holds and ends. One slot at a time: never more than one process beyond the usual is there. If a
successor fails to start, its predecessor stays as it was, the reason is logged, and the reload ends there.

Slots without sockets, companions, come last and are stopped before they are started again: nobody waits in a
queue for them, and two at once might fight over what they work on.

What is loaded anew: everything that `make_app`, or a companion's `run`, imports, opens and reads when it is called,
as that happens in the new process. What is not: modules that were imported before `serve` was called, this package
among them, since a fork inherits them. So import the application inside `make_app`, by name.
"""

import logging
from collections.abc import Callable, Iterator
from typing import Final

from hopline.http.process import CLEAN_END, ChildProcess

__all__ = ["Reload"]

log = logging.getLogger("hopline.http")
PATIENCE: Final = 5.0  # seconds between two attempts to kill what does not end


class Reload:
    """The supervisor's reload, under way or not. It swaps successors into `children`, the supervisor's own list.

    `start` forks a child's process. Belongs to the supervisor's only thread.
    """

    def __init__(
        self,
        children: list[ChildProcess],
        start: Callable[[ChildProcess], None],
        *,
        start_timeout: float,
        shutdown_timeout: float,
    ) -> None:
        self._children = children
        self._start = start
        self._start_timeout = start_timeout
        self._shutdown_timeout = shutdown_timeout
        self._to_do: list[ChildProcess] = []
        self._old: ChildProcess | None = None  # whose successor is starting
        self._successor: ChildProcess | None = None
        self._leaving: ChildProcess | None = None  # told to stop
        self._deadline = 0.0  # of the one that leaves
        self._done = 0

    @property
    def busy(self) -> bool:
        """Whether a reload is under way."""
        return bool(self._to_do) or self._successor is not None or self._leaving is not None

    def extra(self) -> Iterator[ChildProcess]:
        """The processes that are not, or no longer, among the supervisor's children."""
        if self._successor is not None:
            yield self._successor
        if self._leaving is not None and self._leaving not in self._children:
            yield self._leaving

    def begin(self) -> None:
        """Replace all, workers first; what it takes happens in `advance`."""
        self._to_do = [child for child in self._children if child.slot.reloads]
        self._to_do.sort(key=lambda child: (not child.slot.sockets, child.slot.stage))
        self._done = 0

    def due(self) -> list[float]:
        """When something is to be looked at, at the latest."""
        starting = [] if self._successor is None else [self._successor.started + self._start_timeout]
        return starting if self._leaving is None else [*starting, self._deadline]

    def advance(self, now: float) -> None:
        """Take every step that can be taken."""
        if self._successor is not None:
            self._watch_start(self._successor, now)
        if self._leaving is not None:
            self._watch_end(self._leaving, now)
        while self._to_do and self._successor is None and self._leaving is None:
            self._next(self._to_do.pop(0), now)

    def _next(self, child: ChildProcess, now: float) -> None:
        if not child.slot.sockets:
            self._dismiss(child, now)
            return
        self._old = child
        self._successor = ChildProcess(child.slot, child.index)
        self._start(self._successor)  # if that fails at once, `ended` is called before this returns

    def _watch_start(self, successor: ChildProcess, now: float) -> None:
        if successor.ready and self._old is not None:
            self._children[self._children.index(self._old)] = successor
            self._successor = None
            self._dismiss(self._old, now)
        elif not successor.killed and now >= successor.started + self._start_timeout:
            log.error("%s was not ready in %.1f s and is killed", successor, self._start_timeout)
            successor.kill()

    def _dismiss(self, child: ChildProcess, now: float) -> None:
        child.restart_at = None
        if child.alive:
            self._leaving = child
            self._deadline = now + self._shutdown_timeout
            child.stop()
        else:
            self._gone(child)

    def _watch_end(self, child: ChildProcess, now: float) -> None:
        if now >= self._deadline:
            log.warning("%s did not end in %.1f s and is killed", child, self._shutdown_timeout)
            self._deadline = now + PATIENCE
            child.kill()

    def ended(self, child: ChildProcess, how: str) -> bool:
        """Take note of a process's end; False where the reload has no part in it."""
        if child is self._leaving:
            if how != CLEAN_END and not child.killed:
                log.error("%s ended with %s while stopping", child, how)
            self._leaving = None
            self._gone(child)
            return True
        if child is self._successor:
            self._give_up(child, how)
            return True
        return False

    def _gone(self, child: ChildProcess) -> None:
        self._done += 1
        if child in self._children:
            self._start(child)
        if not self.busy:
            log.info("reloaded: %d processes run anew", self._done)

    def _give_up(self, successor: ChildProcess, how: str) -> None:
        reason = successor.complaint or f"it ended with {how} and said nothing"
        left = len(self._to_do) + 1
        log.error(
            "%s could not start, so the reload ends: %d processes run anew, %d as before: %s",
            successor,
            self._done,
            left,
            reason,
        )
        self._successor = self._old = None
        self._to_do.clear()

    def cancel(self) -> None:
        """All is to end: replace nobody else. What is in `extra` is the supervisor's to stop."""
        self._to_do.clear()
