"""Links in SQLite: creations committed in groups by one writer thread, point reads by a few readers.

A commit waits for the disk, and one wait serves everybody whose write arrived meanwhile: while a group is being
committed the next one gathers by itself, so that the group grows with the load and no write waits for company.
Processes take turns by the version table's lock, which queues them in the kernel; SQLite's own busy handler would
poll. A write has been committed and every other process has been told (see versions.py) before its method returns.
"""

import asyncio
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from hopline.clock import Clock, SystemClock
from hopline.shortener.links.link import CodeTaken, Link, LinkChanges, LinkPage, LinkQuery, NewLink, StoreUnavailable
from hopline.shortener.links.protocol import LinkStoreStats
from hopline.shortener.links.sqlite_rows import CodeTaste, LinkRows, connect, prepare
from hopline.shortener.links.versions import VersionTable

__all__ = ["SqliteLinkStore"]

T = TypeVar("T")
READERS: Final = 2
READS_WAITING: Final = 2_000  # beyond, reads are refused: the disk is not keeping up
GROUP_ROWS: Final = 1_000
SEARCH_SECONDS: Final = 2.0
CLOSE_SECONDS: Final = 30.0


class _Write:
    """One write on its way to the writer: what to do, how many rows, which codes it changes, who waits."""

    __slots__ = ("codes", "future", "loop", "rows", "work")

    def __init__(
        self, work: Callable[[LinkRows], Any], rows: int, codes: Sequence[str], loop: asyncio.AbstractEventLoop
    ) -> None:
        self.work = work
        self.rows = rows
        self.codes = codes
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()


class SqliteLinkStore:
    """A LinkStore in one SQLite file. Task-safe and process-safe; open it in the process that uses it, after a fork."""

    def __init__(
        self,
        path: Path,
        versions: VersionTable,
        *,
        taste: CodeTaste | None = None,
        block_size: int = 1024,
        queue_size: int = 10_000,
        clock: Clock | None = None,
    ) -> None:
        self._path = path
        self._versions = versions
        self._taste = taste or CodeTaste()
        self._block_size = block_size
        self._queue_size = queue_size
        self._clock: Clock = clock or SystemClock()
        self._arrived = threading.Condition()  # guards _queue, _waiting and _closing
        self._queue: deque[_Write] = deque()
        self._waiting = 0  # rows in _queue
        self._closing = False
        self._writer: threading.Thread | None = None
        self._readers: ThreadPoolExecutor | None = None
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []  # readers', to be closed with the store
        self._reading = 0
        self._created = self._updated = self._deleted = self._reads = self._commits = self._errors = 0

    async def open(self) -> None:
        """Make the tables where they are missing and start the threads. sqlite3.Error, SchemaTooNew."""
        self._permutation = await asyncio.to_thread(prepare, self._path)
        # Connected here and not in the thread, so that whoever opens the store hears of what goes wrong.
        rows = await asyncio.to_thread(self._rows)
        self._writer = threading.Thread(
            target=self._write_groups, args=(rows,), name="hopline-links-write", daemon=True
        )
        self._readers = ThreadPoolExecutor(READERS, "hopline-links-read")
        self._writer.start()

    def _rows(self, *, read_only: bool = False) -> LinkRows:
        return LinkRows(connect(self._path, read_only=read_only), self._permutation, self._taste, self._block_size)

    async def close(self) -> None:
        """Finish what is queued, then release threads and files. Idempotent."""
        with self._arrived:
            self._closing = True
            self._arrived.notify()
        if self._writer is not None:
            await asyncio.to_thread(self._writer.join, CLOSE_SECONDS)
            self._writer = None
        if self._readers is not None:
            await asyncio.to_thread(self._readers.shutdown)
            self._readers = None
        while self._connections:
            self._connections.pop().close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    # -- writing ----------------------------------------------------------------------------------------

    async def create(self, new: Sequence[NewLink]) -> list[Link | CodeTaken]:
        """See LinkStore."""
        now = self._now()
        custom = [link.custom_code for link in new if link.custom_code is not None]
        made: list[Link | CodeTaken] = await self._write(
            lambda rows: [rows.create(link, now) for link in new], len(new), custom
        )
        self._created += sum(isinstance(link, Link) for link in made)
        return made

    async def update(self, code: str, changes: LinkChanges) -> Link | None:
        """See LinkStore."""
        now = self._now()
        link: Link | None = await self._write(lambda rows: rows.update(code, changes, now), 1, [code])
        self._updated += link is not None
        return link

    async def delete(self, code: str) -> bool:
        """See LinkStore."""
        gone: bool = await self._write(lambda rows: rows.delete(code), 1, [code])
        self._deleted += gone
        return gone

    def _now(self) -> int:
        return int(self._clock.time() * 1000)

    async def _write(self, work: Callable[[LinkRows], T], rows: int, codes: Sequence[str]) -> T:
        write = _Write(work, rows, codes, asyncio.get_running_loop())
        with self._arrived:
            if self._closing or self._writer is None:
                raise StoreUnavailable("the store of links is closed", retry_after=5)
            if self._waiting + rows > self._queue_size and self._queue:
                self._errors += 1
                raise StoreUnavailable(f"{self._waiting} links are waiting to be stored; try again in a moment")
            self._queue.append(write)
            self._waiting += rows
            self._arrived.notify()
        result: T = await write.future
        return result

    def _write_groups(self, rows: LinkRows) -> None:
        """The writer thread: commit whatever has gathered, until closed and empty."""
        try:
            while group := self._take():
                self._commit(rows, group)
        finally:
            rows.connection.close()

    def _take(self) -> list[_Write]:
        """The next group; empty at the end."""
        with self._arrived:
            while not self._queue and not self._closing:
                self._arrived.wait()
            group: list[_Write] = []
            count = 0
            while self._queue and (not group or count + self._queue[0].rows <= GROUP_ROWS):
                write = self._queue.popleft()
                group.append(write)
                count += write.rows
            self._waiting -= count
            return group

    def _commit(self, rows: LinkRows, group: list[_Write]) -> None:
        """One transaction for the group. Where it fails for a reason of its contents, each write gets its own."""
        codes = [code for write in group for code in write.codes]
        try:
            with self._versions.editing(codes):
                results = self._transact(rows, group)
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits to hear of it
            if _lies_with_the_file(error):
                self._errors += len(group)
                self._settle(group, [StoreUnavailable(f"links can't be stored now: {error}") for _ in group])
            elif len(group) > 1:
                for write in group:
                    self._commit(rows, [write])
            else:
                self._errors += 1
                self._settle(group, [error])
        else:
            self._commits += 1
            self._settle(group, results)

    def _transact(self, rows: LinkRows, group: list[_Write]) -> list[Any]:
        if rows.connection.in_transaction:  # the last one failed, and then its ROLLBACK too
            rows.connection.execute("ROLLBACK")
        rows.connection.execute("BEGIN IMMEDIATE")
        try:
            results = [write.work(rows) for write in group]
            rows.connection.execute("COMMIT")
        except BaseException:
            rows.forget_lease()
            if rows.connection.in_transaction:
                rows.connection.execute("ROLLBACK")
            raise
        return results

    def _settle(self, group: list[_Write], results: list[Any]) -> None:
        """Hand results and errors to the loops that wait; one call a loop, since each wakes it."""
        loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
        for write, result in zip(group, results, strict=True):
            loops.setdefault(write.loop, []).append((write.future, result))
        for loop, pairs in loops.items():
            try:
                loop.call_soon_threadsafe(_resolve, pairs)
            except RuntimeError:
                pass  # the loop is closed: nobody waits any more, and what was committed stays

    # -- reading ----------------------------------------------------------------------------------------

    async def get(self, code: str) -> Link | None:
        """See LinkStore."""
        return await self._read(lambda rows: rows.get(code))

    async def page(self, query: LinkQuery) -> LinkPage:
        """See LinkStore. A search that takes over 2 s ends in StoreUnavailable."""
        return await self._read(lambda rows: rows.page(query))

    async def _read(self, work: Callable[[LinkRows], T]) -> T:
        if self._readers is None:
            raise StoreUnavailable("the store of links is closed", retry_after=5)
        if self._reading >= READS_WAITING:
            self._errors += 1
            raise StoreUnavailable(f"{self._reading} reads are waiting for the disk; try again in a moment")
        self._reading += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, self._read_here, work)
        except (sqlite3.Error, OSError) as error:
            self._errors += 1
            raise StoreUnavailable(_why_unreadable(error)) from error
        finally:
            self._reading -= 1
            self._reads += 1

    def _read_here(self, work: Callable[[LinkRows], T]) -> T:
        """On a reader thread, with its own connection."""
        rows: LinkRows | None = getattr(self._local, "rows", None)
        if rows is None:
            rows = self._local.rows = self._rows(read_only=True)
            self._connections.append(rows.connection)
        deadline = time.monotonic() + SEARCH_SECONDS
        # Called every 20,000 steps of SQLite's machine, under a millisecond apart; 1 interrupts the statement.
        rows.connection.set_progress_handler(lambda: time.monotonic() > deadline, 20_000)
        return work(rows)

    def stats(self) -> LinkStoreStats:
        """See LinkStore."""
        return LinkStoreStats(
            self._created,
            self._updated,
            self._deleted,
            self._reads,
            self._commits,
            self._waiting,
            self._errors,
        )


def _lies_with_the_file(error: Exception) -> bool:
    """Locked, full, unreadable or malformed. What lies with a statement and its values has other classes."""
    return isinstance(error, sqlite3.OperationalError | OSError) or type(error) is sqlite3.DatabaseError


def _why_unreadable(error: Exception) -> str:
    if str(error) == "interrupted":  # by the progress handler
        return f"the search took over {SEARCH_SECONDS:g} s; search among one user's links, or open a link by its code"
    return f"links can't be read now: {error}"


def _resolve(pairs: list[tuple["asyncio.Future[Any]", Any]]) -> None:
    """On the loop: results to those who still wait."""
    for future, result in pairs:
        if future.done():
            continue
        if isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)
