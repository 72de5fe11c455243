"""Development's reload: a process that looks at the files' times and asks the supervisor to reload on a change.

Polling twice a second needs nothing of the system and works on every mount, which notifications don't. It costs
about 2 µs a file. It is a process of its own, since the supervisor forks and so must not have threads.
"""

import logging
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from hopline.http.child import SlotContext

__all__ = ["changes", "snapshot", "watch"]

log = logging.getLogger("hopline.http")
INTERVAL: Final = 0.5  # seconds between two looks
MOST_FILES: Final = 10_000  # more than that, and a folder was named by mistake
SKIPPED: Final = frozenset({"__pycache__", "node_modules"})  # and what starts with a dot


def watch(folders: Sequence[Path]) -> Callable[[SlotContext], None]:
    """What a slot runs to send SIGHUP to its supervisor whenever a .py file under `folders` changes."""

    def run(context: SlotContext) -> None:
        supervisor = os.getppid()
        seen = snapshot(folders)
        if len(seen) >= MOST_FILES:
            log.warning("only the first %d files are watched; name smaller folders than %s", MOST_FILES, folders)
        context.ready()
        while not context.stop.wait(INTERVAL):
            now = snapshot(folders)
            changed = changes(seen, now)
            seen = now
            if changed:
                log.info("%s changed; reloading", ", ".join(changed[:3]) + (", …" if len(changed) > 3 else ""))
                if os.getppid() == supervisor:
                    os.kill(supervisor, signal.SIGHUP)

    return run


def snapshot(folders: Sequence[Path]) -> dict[str, int]:
    """The .py files under `folders`, at most MOST_FILES, each with when it was changed last, in nanoseconds."""
    found: dict[str, int] = {}
    for path in _files(folders):
        try:
            found[path] = os.stat(path).st_mtime_ns  # noqa: PTH116 - a string, ten thousand times
        except OSError:
            continue  # gone since it was listed
        if len(found) >= MOST_FILES:
            break
    return found


def _files(folders: Sequence[Path]) -> Iterator[str]:
    for folder in folders:
        if folder.is_file():
            yield str(folder)
        for root, inner, names in os.walk(folder):
            inner[:] = sorted(name for name in inner if name not in SKIPPED and not name.startswith("."))
            for name in sorted(names):
                if name.endswith(".py"):
                    yield os.path.join(root, name)  # noqa: PTH118 - as above


def changes(before: dict[str, int], now: dict[str, int]) -> list[str]:
    """The files that are new, gone or changed, in order."""
    return sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))
