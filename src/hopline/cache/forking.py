"""Locks that a forked child finds free.

A fork copies the memory of all threads and goes on with one. A lock that another thread held at that moment stays
held in the child, by nobody, and the first call there hangs. So the child makes the locks anew, as the standard
library does for its own (logging, threading). They are freed in the child and not taken before the fork: taking
them would hang a fork made by a signal handler inside a call. What a lock guards must therefore be usable between
any two steps; `lru.py` says how.
"""

import os
import threading
from weakref import WeakSet

__all__ = ["forkable_lock"]

_locks: "WeakSet[threading.RLock]" = WeakSet()  # weak, so that a cache nobody uses is not kept
_registered = False


def forkable_lock() -> "threading.RLock":
    """A re-entrant lock that is free in every forked child."""
    global _registered
    if not _registered:
        _registered = True  # two threads may both come here: freeing twice does no harm
        os.register_at_fork(after_in_child=_free)
    lock = threading.RLock()
    _locks.add(lock)
    return lock


def _free() -> None:
    for lock in list(_locks):
        lock._at_fork_reinit()  # type: ignore[attr-defined]  # CPython's own; the standard library relies on it
