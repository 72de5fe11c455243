"""The process that outlives the others: it forks a child for each slot, replaces the dead, and ends all in order.

Why it forks. A child must inherit listening sockets, and a restarted one the very same: as long as any copy is
open, no accept queue closes and no waiting connection is reset (see sockets.py). Forking is safe where one thread
runs, so this process has one, runs no event loop and never builds the application: what it holds is what every
child starts from, after a leak or a crash as on the first day.

One loop does all: wait for a signal, a word from a child or a deadline, then look at everything. One SIGCHLD may
stand for several children, so each is asked for by its id.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from hopline.http.child import Slot
from hopline.http.process import CLEAN_END, ChildProcess
from hopline.http.reloading import Reload
from hopline.http.signals import SignalWatch

__all__ = ["Supervisor", "restart_delay"]

START_ATTEMPTS: Final = 3  # how often in a row a child may end before it was ready, until all is given up
STABLE_SECONDS: Final = 30.0  # a child that lasted this long has its earlier crashes forgotten
FIRST_DELAY: Final = 0.1  # seconds before the second restart in a row; the first is at once
LONGEST_DELAY: Final = 5.0  # bounds how long connections wait in the queue of a slot that keeps crashing
KILL_SECONDS: Final = 5.0  # how long a killed process may take to be gone

log = logging.getLogger("hopline.http")


def restart_delay(crashes: int) -> float:
    """Seconds to wait before a restart, after `crashes` earlier ones in a row."""
    return 0.0 if crashes == 0 else min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(crashes - 1, 16))


class Supervisor:
    """Runs a process for each of `slots` until SIGTERM or SIGINT. One `run`, on the main thread.

    `on_ready` is called once, when every child has said that it is ready. A child that crashes is replaced, after
    pauses that grow; while the first start isn't complete, a few failures in a row end everything. At a stop each
    stage has `shutdown_timeout` seconds to end before it is killed; a second signal kills what is left. The slots'
    sockets are closed, in this process, when their stage is told to stop. SIGHUP replaces all processes, one by
    one and without a gap (see reloading.py).
    """

    def __init__(
        self,
        slots: Sequence[Slot],
        *,
        shutdown_timeout: float = 10.0,
        start_timeout: float = 120.0,
        on_ready: Callable[[], None] | None = None,
    ) -> None:
        if shutdown_timeout < 0 or start_timeout <= 0:
            raise ValueError(f"timeouts must be positive, not {shutdown_timeout!r} and {start_timeout!r} seconds")
        self._children = [ChildProcess(slot, index) for index, slot in enumerate(slots)]
        self._shutdown_timeout = shutdown_timeout
        self._start_timeout = start_timeout
        self._on_ready = on_ready
        self._signals = SignalWatch()
        self._reload = Reload(
            self._children, self._start, start_timeout=start_timeout, shutdown_timeout=shutdown_timeout
        )
        self._announced = False  # whether the first start is complete
        self._stages: list[list[ChildProcess]] | None = None  # who is still to end, in turn; None: nobody
        self._deadline = 0.0  # of the first of these stages
        self._exit_code = 0

    def run(self) -> int:
        """Start all, last stage first, and return once all have ended: 0, or 1 if it wasn't as it should be."""
        if threading.active_count() > 1:
            log.warning(
                "%d threads run where processes are forked; start them in the children", threading.active_count()
            )
        with self._signals:
            try:
                for child in sorted(self._children, key=lambda child: -child.slot.stage):
                    self._start(child)
                while self._stages != []:
                    lines = [child.line for child in self._everyone() if child.starting and child.line is not None]
                    self._signals.wait(lines, self._pause())
                    self._turn(time.monotonic())
            finally:
                self._end_all()
        return self._exit_code

    def _everyone(self) -> list[ChildProcess]:
        return [*self._children, *self._reload.extra()]

    def _turn(self, now: float) -> None:
        for child in self._everyone():
            child.hear()
            how = child.reap()
            if how is not None:
                self._ended(child, how, now)
        if self._signals.asked and self._stages is None:
            self._begin_stop(now)
        if self._signals.repeated:
            self._kill_what_is_left(now)
        if self._stages is None:
            self._advance_start(now)
        else:
            self._advance_stop(now)

    def _pause(self) -> float | None:
        """Seconds until something is due, None if nothing is."""
        if self._reload_is_due():
            return 0.0
        if self._stages is not None:
            due = [self._deadline]
        else:
            due = [child.restart_at for child in self._children if child.restart_at is not None]
            due += [child.started + self._start_timeout for child in self._children if child.starting]
            due += self._reload.due()
        return max(0.0, min(due) - time.monotonic()) if due else None

    # Starting and replacing

    def _start(self, child: ChildProcess) -> None:
        if self._stages is not None:
            return  # an earlier one could not start, and all was given up
        lines = [other.line for other in self._everyone() if other.line is not None]
        sockets = [listener for other in self._children for listener in other.slot.sockets]
        foreign = [*lines, *self._signals.pipe, *(one for one in sockets if one not in child.slot.sockets)]
        try:
            child.start(foreign, self._shutdown_timeout)
        except OSError as error:
            self._ended(child, f"no process at all ({error})", time.monotonic())

    def _advance_start(self, now: float) -> None:
        for child in self._children:
            if child.restart_at is not None and now >= child.restart_at:
                self._start(child)
            elif child.starting and not child.killed and now >= child.started + self._start_timeout:
                log.error("%s was not ready in %.1f s and is killed", child, self._start_timeout)
                child.kill()
        if not self._announced and all(child.ready for child in self._children):
            self._announced = True
            if self._on_ready is not None:
                self._on_ready()
        if self._reload_is_due():
            self._signals.reload = False  # one that comes while this one is under way is another reload, after it
            self._reload.begin()
        self._reload.advance(now)

    def _reload_is_due(self) -> bool:
        return self._signals.reload and self._announced and self._stages is None and not self._reload.busy

    def _ended(self, child: ChildProcess, how: str, now: float) -> None:
        """A process is gone: as it was told to, or to be replaced."""
        child.failed_starts += not child.ready
        if self._stages is not None:
            if how != CLEAN_END and child.ready and not child.killed:
                self._exit_code = 1
                log.error("%s ended with %s while stopping", child, how)
        elif self._reload.ended(child, how):
            return
        elif not self._announced and child.failed_starts >= START_ATTEMPTS:
            self._give_up(child, how, now)
        else:
            self._replace(child, how, now)

    def _replace(self, child: ChildProcess, how: str, now: float) -> None:
        if child.ready and now - child.started >= STABLE_SECONDS:
            child.crashes = 0
        delay = restart_delay(child.crashes)
        child.crashes += 1
        child.restart_at = now + delay
        self._log_crash(child, how, now - child.started, delay)

    def _log_crash(self, child: ChildProcess, how: str, lasted: float, delay: float) -> None:
        again = f"starting it again in {delay:.1f} s" if delay else "starting it again"
        if child.ready:
            log.error("%s ended with %s after %.1f s; %s", child, how, lasted, again)
        elif self._announced:
            log.error("%s ended with %s before it was ready; %s\n%s", child, how, again, child.complaint)
        else:  # what it complained of is said once, when it is given up
            log.warning("%s ended with %s before it was ready; %s", child, how, again)

    def _give_up(self, child: ChildProcess, how: str, now: float) -> None:
        reason = child.complaint or f"it ended with {how} and said nothing"
        log.error("%s failed to start %d times in a row, so all is stopped: %s", child, START_ATTEMPTS, reason)
        self._exit_code = 1
        self._begin_stop(now)

    # Stopping

    def _begin_stop(self, now: float) -> None:
        self._reload.cancel()
        everyone = self._everyone()
        by_stage = sorted({child.slot.stage for child in everyone})
        self._stages = [[child for child in everyone if child.slot.stage == stage] for stage in by_stage]
        self._stop_stage(now)

    def _stop_stage(self, now: float) -> None:
        self._deadline = now + self._shutdown_timeout
        for child in self._stages[0] if self._stages else ():
            child.restart_at = None
            child.close_sockets()
            child.stop()

    def _advance_stop(self, now: float) -> None:
        while self._stages and not any(child.alive for child in self._stages[0]):
            del self._stages[0]
            self._stop_stage(now)
        if self._stages and now >= self._deadline:
            late = [child for child in self._stages[0] if child.alive]
            if all(child.killed for child in late):
                log.error("gave up waiting for %s, killed %.1f s ago", ", ".join(map(str, late)), KILL_SECONDS)
                del self._stages[0]
                self._stop_stage(now)
            else:
                self._kill(late, now, f"did not end in {self._shutdown_timeout:.1f} s and is killed")

    def _kill_what_is_left(self, now: float) -> None:
        left = [child for child in self._everyone() if child.alive and not child.killed]
        if left:
            self._stages = [self._everyone()]
            self._kill(left, now, "is killed by a second signal")

    def _kill(self, children: Iterable[ChildProcess], now: float, why: str) -> None:
        self._exit_code = 1
        self._deadline = now + KILL_SECONDS
        for child in children:
            log.warning("%s %s", child, why)
            child.kill()

    def _end_all(self) -> None:
        """Leave no child behind, whatever ended `run`: after a clean stop there is none."""
        for child in self._everyone():
            child.close_sockets()
            child.kill()
        deadline = time.monotonic() + KILL_SECONDS
        while any(child.alive and child.reap() is None for child in self._everyone()) and time.monotonic() < deadline:
            self._signals.wait([], deadline - time.monotonic())
        for child in self._everyone():
            child.hang_up()
