"""Reads journals from files. A follower is a cursor: its unread records stay in the file, not in memory.

Readers never read behind a journal's committed length, and bytes below it never change. So readers and the writer need
no lock.
"""

from __future__ import annotations

import asyncio
import logging
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from squall.adapters.durable import make_folder
from squall.adapters.journal import reading
from squall.adapters.journal.checking import accounts as accounting
from squall.adapters.journal.container import DamagedError
from squall.adapters.journal.inotify import CREATE, MODIFY, MOVED_TO, Inotify
from squall.adapters.journal.sources import Source, Sources, close_quietly
from squall.core.environment import RETRIED
from squall.core.errors import SquallError, UnavailableError
from squall.core.output import journal
from squall.core.output.accounts import Account, Loss
from squall.core.output.journal import Batch, Record
from squall.ports import LIVE

_LOG = logging.getLogger("squall.journal")

P = ParamSpec("P")
T = TypeVar("T")


class _File:
    """One open journal, shared by all readers of the tree. Its bytes never change, but they may move to another place
    while the journal is open."""

    __slots__ = ("_last", "_retired", "_sources", "closing", "marks", "source")

    def __init__(self, sources: Sources, source: Source) -> None:
        self._sources = sources
        self._retired: list[Source] = []
        self._last = -1
        self.source = source
        self.closing = source.closing
        self.marks: dict[str, array[int]] = {}

    def committed(self) -> int:
        """Returns the current committed length, in bytes."""
        committed = self.source.committed
        if committed == self._last and self.source.stale():
            committed = self._move()
        self._last = committed
        if (closing := self.source.closing) != self.closing:
            # A writer added records after the journal was closed: its chains have grown.
            self.marks.clear()
            self.closing = closing
        return committed

    def _move(self) -> int:
        """Opens the journal at its new place. Returns the committed length.

        If the journal was removed, readers go on with the descriptor that is still open."""
        try:
            source = self._sources.open(self.source.tree)
        except (OSError, SquallError):
            source = None
        if source is not None:
            # A read on a thread may still need the old one.
            self._retired.append(self.source)
            self.source = source
            self.marks.clear()
        return max(self._last, self.source.committed)

    def close(self) -> None:
        """Closes every source that this journal opened."""
        for source in (*self._retired, self.source):
            close_quietly(source)


class _Watch:
    """`ports.Watch`: waits for changes of one tree, for all its readers at once."""

    def __init__(self, journals: FileJournal, tree: str) -> None:
        self._journals = journals
        self.tree = tree
        self.users = 0
        self.watch_number = -1
        self.folder_number = -1
        self.listens = False
        self.file: _File | None = None
        self.head = 0
        self.changes = 0
        self._waiting: dict[asyncio.Future[None], float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def look(self, _name: str = "") -> None:
        """Reads the committed length; wakes the readers if it has grown."""
        if self.file is None and not self._journals.attach(self):
            return
        if self.file is not None:
            head = self.file.committed()
            if head > self.head:
                self.head = head
                self.wake()

    def wake(self) -> None:
        """Wakes every reader."""
        waiting, self._waiting = self._waiting, {}
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def _arm(self, deadline: float) -> None:
        """Sets the timer to `deadline` (loop time) unless it expires earlier.

        One timer serves all readers: a thousand timers would cost more than the reading itself."""
        if self._timer is None or deadline < self._timer.when():
            self.disarm()
            self._timer = asyncio.get_running_loop().call_at(deadline, self._expire)

    def disarm(self) -> None:
        """Cancels the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        """Polls the journal, then wakes the readers whose deadline has passed.

        The poll finds growth that inotify did not report."""
        self._timer = None
        # Whoever waits reads by itself when it wakes, and then sees what is in the way.
        with suppress(*RETRIED):
            self.look()
        now = asyncio.get_running_loop().time()
        for future in [future for future, deadline in self._waiting.items() if deadline <= now]:
            del self._waiting[future]
            if not future.done():
                future.set_result(None)
        if self._waiting:
            self._arm(min(self._waiting.values()))

    async def beyond(self, place: int | None, timeout: float, seen: int | None = None) -> bool:
        """Waits for bytes after `place`, for a poke, or for `timeout` seconds. Returns True if there are such bytes."""
        if self._goes_beyond(place):
            return True
        # Most readers never wait, so only waiting readers use a kernel watch.
        self._journals.listen(self)
        self.look()
        if self._goes_beyond(place):
            return True
        if seen is not None and seen != self.changes:
            return False
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        deadline = loop.time() + timeout
        self._waiting[future] = deadline
        self._arm(deadline)
        try:
            await future
        finally:
            self._waiting.pop(future, None)
        return self._goes_beyond(place)

    def _goes_beyond(self, place: int | None) -> bool:
        return place is not None and self.head > max(place, journal.HEADER_SIZE)


class FileJournal:
    """`ports.Journal` for the files below `root`. Create and `close` it on the event loop."""

    source = "f"

    def __init__(self, root: Path, sources: Sources | None = None) -> None:
        self._root = root
        self._sources = sources or Sources(root)
        self._inotify = Inotify()
        self._watches: dict[str, _Watch] = {}

    @contextmanager
    def watch(self, tree: str) -> Iterator[_Watch]:
        """Yields the tree's watch, which is open until the block ends."""
        watch = self._watches.get(tree)
        if watch is None:
            watch = self._watches[tree] = _Watch(self, tree)
        watch.users += 1
        try:
            watch.look()
            yield watch
        finally:
            watch.users -= 1
            if watch.users == 0:
                self._release(watch)

    def listen(self, watch: _Watch) -> None:
        """Registers inotify watches for growth of the tree's file and for new files in its folder."""
        if watch.listens:
            return
        watch.listens = True
        path = self._root / journal.file_name(watch.tree)
        # All watches of a folder share one number, so the callback checks all of its trees.
        make_folder(path.parent)
        watch.folder_number = self._inotify.watch(path.parent, CREATE | MOVED_TO, self._created)
        if watch.file is not None:
            watch.watch_number = self._inotify.watch(path, MODIFY, watch.look)

    def attach(self, watch: _Watch) -> bool:
        """Opens the tree's file, and registers its inotify watch if readers wait. Returns False if there is no file."""
        source = self._source(watch.tree)
        if source is None:
            return False
        watch.file = _File(self._sources, source)
        if watch.listens:
            path = self._root / journal.file_name(watch.tree)
            watch.watch_number = self._inotify.watch(path, MODIFY, watch.look)
        return True

    def _source(self, tree: str) -> Source | None:
        """Opens the tree's journal. Returns None if there is none, or if it is damaged as a whole: `lost` says how much
        that was."""
        try:
            return self._sources.open(tree)
        except DamagedError:
            return None
        except OSError as error:
            raise _unreadable(error) from error

    def _created(self, name: str) -> None:
        for tree in (name.removesuffix(".journal"),) if name else list(self._watches):
            if (watch := self._watches.get(tree)) is not None:
                if watch.file is not None:
                    # A late writer opened the sealed journal again, so the journal grows in another file.
                    self._inotify.forget(watch.watch_number)
                    path = self._root / journal.file_name(tree)
                    watch.watch_number = self._inotify.watch(path, MODIFY, watch.look)
                watch.look()
                if watch.file is None:
                    # The header page comes a moment after the file itself.
                    asyncio.get_running_loop().call_later(0.002, watch.look)

    def _release(self, watch: _Watch) -> None:
        del self._watches[watch.tree]
        watch.disarm()
        self._inotify.forget(watch.watch_number)
        if watch.folder_number >= 0 and not any(
            other.folder_number == watch.folder_number for other in self._watches.values()
        ):
            self._inotify.forget(watch.folder_number)
        if watch.file is not None:
            watch.file.close()
            watch.file = None

    def head(self, tree: str) -> int:
        """Returns the end position of the tree's journal; 0 if there is no journal."""
        if (watch := self._watches.get(tree)) is not None and watch.file is not None:
            return watch.file.committed()
        source = self._source(tree)
        if source is None:
            return 0
        try:
            return source.committed
        finally:
            source.close()

    def order(self, place: int) -> int:
        """Returns the place itself, which is a file offset."""
        return place

    def distance(self, start: int, end: int) -> int:
        """Returns the number of bytes in the file between two places."""
        return max(0, end - start)

    def poke(self, tree: str) -> None:
        """Wakes the readers that wait for the tree."""
        if (watch := self._watches.get(tree)) is not None:
            watch.changes += 1
            watch.look()
            watch.wake()

    async def read(self, tree: str, after: int, limit: int) -> Batch:
        """Returns whole records after a position."""
        with self.watch(tree) as watch:
            if watch.file is None:
                return Batch([], after)
            return await _run(watch.file.source, reading.read, watch.head, after, limit)

    async def read_execution(self, tree: str, execution: str, after: int, limit: int) -> Batch:
        """Returns one execution's records after a position. If no closing index gives its chain, reads all records of
        the tree and selects those of the execution."""
        with self.watch(tree) as watch:
            file, head = watch.file, watch.head
            if file is None:
                return Batch([], after)
            tail, marks = await _run(file.source, _chain, execution) if file.closing else (-1, None)
            if tail < 0:
                batch = await _run(file.source, reading.read, head, after, limit)
                return reading.own_records(batch, execution)
            if not tail:
                return Batch([], max(after, head))
            chain_marks = marks or file.marks.get(execution)
            if chain_marks is None:
                # A closed journal's chains do not change, so one walk is enough while the tree is open.
                chain_marks = file.marks[execution] = await _run(file.source, reading.marks_of, tail)
            chained = await _run(file.source, reading.read_chain, head, chain_marks, execution, after, limit)
            if chained is not None:
                return chained
            # The records in their order lead past the damage, and say where it is.
            return reading.own_records(await _run(file.source, reading.read, head, after, limit), execution)

    async def read_last(self, tree: str, last_record: int, limits: Mapping[int, int]) -> list[Record]:
        """Returns the last output records of one execution: about `limits[stream]` bytes of each stream."""
        with self.watch(tree) as watch:
            if watch.file is None or not last_record:
                return []
            return await _run(watch.file.source, reading.read_last, last_record, limits)

    async def lost(self, tree: str, accounts: Sequence[Account], size: int | None) -> Sequence[Loss]:
        """Returns the output that the tree's journal does not hold."""
        with self.watch(tree) as watch:
            if watch.file is not None:
                return await asyncio.to_thread(accounting.lost, watch.file.source, accounts)
        if size is None:
            size = await asyncio.to_thread(self._sources.damaged_size, tree)
        return accounting.lost_as_a_whole(accounts, size, tree)

    async def check(self, tree: str, place: int) -> bool:
        """Returns True if a record of this journal ends at `place`."""
        if place in (0, journal.HEADER_SIZE):
            return True
        with self.watch(tree) as watch:
            if watch.file is None:
                return False
            return await _run(watch.file.source, reading.check, watch.head, place)

    def close(self) -> None:
        """Ends all watches."""
        self._inotify.close()


def _chain(source: Source, pread: reading.Pread, execution: str) -> tuple[int, array[int] | None]:
    """Calls `Source.chain`, which reads without `pread`. Raises `BlockingIOError` if that may block the event loop."""
    if source.place == LIVE:
        return source.chain(execution)
    if pread == source.pread_now:
        # A lookup in the index of a sealed journal takes a dozen small reads, perhaps over a network.
        raise BlockingIOError
    return source.chain(execution)


async def _run(
    source: Source, read: Callable[Concatenate[Source, reading.Pread, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Reads from memory directly. If the bytes are only on the disk, a thread reads them and the event loop goes on."""
    try:
        return read(source, source.pread_now, *args, **kwargs)
    except BlockingIOError:
        pass
    try:
        return await asyncio.to_thread(read, source, source.pread, *args, **kwargs)
    except OSError as error:
        raise _unreadable(error) from error


def _unreadable(error: OSError) -> UnavailableError:
    _LOG.error("a journal cannot be read", extra={"error": str(error)})
    return UnavailableError(f"The output cannot be read: {error}")
