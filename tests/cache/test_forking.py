"""A forked child goes on with a cache of its own, whatever other threads were doing with it."""

import os
import signal
import threading
from collections.abc import Callable

from hopline.cache import Cache
from tests.cache.polling import WAIT, until


def succeeds_in_a_child(step: Callable[[], bool]) -> bool:
    """Whether `step` is true in a forked child; a hang is ended by an alarm, and is a False.

    It runs on the thread that forked: a new one might get the identity of one that the fork left behind.
    """
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(5)
        os._exit(0 if step() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_what_the_child_sets_is_its_own() -> None:
    cache: Cache[str, int] = Cache(10)
    cache["a"] = 1

    def step() -> bool:
        cache["b"] = cache["a"] + 1
        return cache["b"] == 2

    assert succeeds_in_a_child(step)
    assert "b" not in cache


def test_a_lock_that_another_thread_held_is_free_in_the_child() -> None:
    cache: Cache[str, int] = Cache(10)
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with cache._lock:
            held.set()
            assert release.wait(WAIT)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(WAIT)
    try:
        assert succeeds_in_a_child(lambda: cache.get_or_load("a", lambda: 1) == 1)
    finally:
        release.set()
        holder.join(WAIT)


def test_a_load_of_the_parent_is_made_anew_in_the_child() -> None:
    cache: Cache[str, int] = Cache(10)
    release = threading.Event()

    def load() -> int:
        assert release.wait(WAIT)
        return 1

    loader = threading.Thread(target=cache.get_or_load, args=("a", load))
    loader.start()
    until(lambda: len(cache._loading) == 1)
    try:
        assert succeeds_in_a_child(lambda: cache.get_or_load("a", lambda: 2) == 2)
    finally:
        release.set()
        loader.join(WAIT)
    assert cache["a"] == 1


def test_a_loader_may_fork_and_finish_in_both() -> None:
    cache: Cache[str, int] = Cache(10)

    def load() -> int:
        load.child = os.fork()  # type: ignore[attr-defined]
        return 1

    value = cache.get_or_load("a", load)
    if load.child == 0:  # type: ignore[attr-defined]
        os._exit(0 if (value, cache.get("a")) == (1, 1) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(load.child, 0)[1]) == 0  # type: ignore[attr-defined]
    assert cache["a"] == 1
