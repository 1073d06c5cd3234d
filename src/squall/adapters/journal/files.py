"""Journals read from files. A follower is a cursor: what it has not read yet lies in the file, not in memory.

Nothing behind a journal's committed length is ever looked at, and nothing below it ever changes, so readers and the
writer need no lock.
"""

from __future__ import annotations

import asyncio
import os
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from squall.adapters.journal.inotify import CREATE, MODIFY, MOVED_TO, Inotify
from squall.core import journal
from squall.core.journal import Batch, Record

_POLL = 1.0
_STRIDE = 1024


class _File:
    """One open journal, shared by all who read the tree."""

    __slots__ = ("closing", "descriptor", "marks", "nonce", "seed", "tree")

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        header = journal.unpack_header(os.pread(descriptor, journal.HEADER_SIZE, 0))
        self.nonce = header.nonce
        self.tree = header.tree
        self.seed = journal.checksum_seed(header.nonce)
        self.closing = header.closing
        self.marks: dict[str, array[int]] = {}

    def committed(self) -> int:
        """The committed length as it is now."""
        committed, closing = journal.unpack_commit(os.pread(self.descriptor, 16, journal.COMMIT_OFFSET))
        if closing != self.closing:
            # The tree went on after it had been closed: its chains have grown.
            self.marks.clear()
            self.closing = closing
        return committed


class _Watch:
    """`ports.Watch`: waits on one tree, for all its readers at once."""

    def __init__(self, journals: FileJournal, tree: str) -> None:
        self._journals = journals
        self.tree = tree
        self.users = 0
        self.watch_number = -1
        self.folder_number = -1
        self.file: _File | None = None
        self.head = 0
        self.changes = 0
        self._waiting: dict[asyncio.Future[None], float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def look(self, _name: str = "") -> None:
        """Reads how far the journal goes now; wakes the readers if it goes further."""
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
        """One timer serves all who wait: a timer for each would cost a thousand readers more than their reading."""
        if self._timer is None or deadline < self._timer.when():
            self.disarm()
            self._timer = asyncio.get_running_loop().call_at(deadline, self._expire)

    def disarm(self) -> None:
        """Calls the timer off."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        """Wakes those whose time is over, after a look of the kind that makes hints unnecessary."""
        self._timer = None
        self.look()
        now = asyncio.get_running_loop().time()
        for future in [future for future, deadline in self._waiting.items() if deadline <= now]:
            del self._waiting[future]
            if not future.done():
                future.set_result(None)
        if self._waiting:
            self._arm(min(self._waiting.values()))

    async def beyond(self, position: int, timeout: float, seen: int | None = None) -> bool:
        """Waits until there is something after `position`, a poke, or the time is over."""
        if self.head > max(position, journal.HEADER_SIZE):
            return True
        self.look()
        if self.head > max(position, journal.HEADER_SIZE):
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
        return self.head > max(position, journal.HEADER_SIZE)


class FileJournal:
    """`ports.Journal` on the files below `root`. Make it on the event loop; `close` it there."""

    source = "f"

    def __init__(self, root: Path) -> None:
        self._root = root
        self._inotify = Inotify()
        self._watches: dict[str, _Watch] = {}

    @contextmanager
    def watch(self, tree: str) -> Iterator[_Watch]:
        """Interest in a tree."""
        found = self._watches.get(tree)
        if found is None:
            found = self._watches[tree] = _Watch(self, tree)
        found.users += 1
        found.look()
        try:
            yield found
        finally:
            found.users -= 1
            if found.users == 0:
                self._release(found)

    def attach(self, watch: _Watch) -> bool:
        """Opens the tree's file and watches it; as long as there is none, watches its folder for it."""
        path = self._root / journal.file_name(watch.tree)
        if watch.folder_number < 0:
            # One number serves every watch of a folder, so the callback asks all of its trees.
            path.parent.mkdir(mode=0o700, exist_ok=True)
            watch.folder_number = self._inotify.watch(path.parent, CREATE | MOVED_TO, self._created)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return False
        try:
            watch.file = _File(descriptor)
        except journal.NotAJournalError:
            # The writer is between making the file and writing its header.
            os.close(descriptor)
            return False
        watch.watch_number = self._inotify.watch(path, MODIFY, watch.look)
        return True

    def _created(self, name: str) -> None:
        for tree in (name.removesuffix(".journal"),) if name else list(self._watches):
            if (watch := self._watches.get(tree)) is not None:
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
            os.close(watch.file.descriptor)
            watch.file = None

    def poke(self, tree: str) -> None:
        """Wakes those who wait for the tree."""
        if (watch := self._watches.get(tree)) is not None:
            watch.changes += 1
            watch.look()
            watch.wake()

    async def read(self, tree: str, after: int, limit: int) -> Batch:
        """Whole records after a position."""
        with self.watch(tree) as watch:
            if watch.file is None:
                return Batch([], after)
            return await self._read(watch.file, watch.head, after, limit)

    async def _read(self, file: _File, head: int, after: int, limit: int) -> Batch:
        at = max(after, journal.HEADER_SIZE)
        if at >= head:
            return Batch([], after)
        data = await _pread(file.descriptor, min(max(limit, journal.FRAME_SIZE), head - at), at)
        if journal.plausible(data, 0, file.nonce) and journal.frame_length(data) > len(data):
            data = await _pread(file.descriptor, min(journal.frame_length(data), head - at), at)
        records = list(journal.unpack_frames(data, at, file.nonce))
        if not records:
            records = [await self._damage(file, head, at)]
        position = records[-1].end if records else after
        return Batch([record for record in records if record.kind != journal.INDEX], position)

    @staticmethod
    async def _damage(file: _File, head: int, at: int) -> Record:
        """What stands for the damage at `at`: a gap up to the next whole frame, or to the journal's end."""
        look = at + 1
        while look < head:
            data = bytes(await _pread(file.descriptor, min(4 * journal.MAX_PAYLOAD, head - look), look))
            found = journal.find_frame(data, 0, file.nonce, file.seed, look)
            if found >= 0:
                return journal.damage_record(at, look + found, file.tree)
            # A frame may begin in this piece and end in the next one.
            look += max(1, len(data) - 2 * journal.MAX_PAYLOAD)
            if len(data) <= 2 * journal.MAX_PAYLOAD:
                break
        return journal.damage_record(at, head, file.tree)

    async def read_execution(self, tree: str, execution: str, after: int, limit: int) -> Batch:
        """One execution's records after a position. A root alone in its tree is simply read on."""
        with self.watch(tree) as watch:
            file = watch.file
            if file is None:
                return Batch([], after)
            head = watch.head
            tail = self._tail(file, execution) if file.closing else -1
            if tail < 0:
                batch = await self._read(file, head, after, limit)
                own = [r for r in batch.records if r.execution == execution or (r.kind == journal.GAP and not r.stream)]
                return Batch(own, batch.position)
            return await _read_chain(file, head, _marks(file, execution, tail), after, limit)

    @staticmethod
    def _tail(file: _File, execution: str) -> int:
        """Where the execution's last record starts, from a closed journal's index; 0 if it has none there."""
        head = os.pread(file.descriptor, journal.FRAME_SIZE, file.closing)
        data = os.pread(file.descriptor, journal.frame_length(head), file.closing)
        record = journal.unpack_frame(memoryview(data), 0, file.closing)
        return journal.unpack_index(record.payload).get(execution, 0) if record is not None else -1

    async def read_last(self, tree: str, last_record: int, limits: Mapping[int, int]) -> list[Record]:
        """The last output records of one execution, of each stream about so many bytes."""
        with self.watch(tree) as watch:
            file = watch.file
            if file is None or not last_record:
                return []
            room = dict(limits)
            starts: list[tuple[int, int]] = []
            at = last_record
            while at and any(left > 0 for left in room.values()):
                record, length = _header(file, at)
                if record is None:
                    break
                if record.kind == journal.OUTPUT and room.get(record.stream, 0) > 0:
                    room[record.stream] -= length - journal.FRAME_SIZE
                    starts.append((at, length))
                at = record.prev if record.prev < at else 0
            records = []
            for start, length in reversed(starts):
                data = await _pread(file.descriptor, length, start)
                if (whole := journal.unpack_frame(memoryview(data), 0, start)) is not None:
                    records.append(whole)
            return records

    async def check(self, tree: str, position: int) -> bool:
        """Whether a record of this journal ends at `position`."""
        if position in (0, journal.HEADER_SIZE):
            return True
        with self.watch(tree) as watch:
            if watch.file is None or not journal.HEADER_SIZE < position <= watch.head:
                return False
            if position == watch.head:
                return True
            head = os.pread(watch.file.descriptor, journal.FRAME_SIZE, position)
            data = os.pread(watch.file.descriptor, min(journal.frame_length(head), 2 * journal.MAX_PAYLOAD), position)
            return journal.verify(data, 0, watch.file.nonce, watch.file.seed, position)

    def close(self) -> None:
        """Ends all watches."""
        self._inotify.close()


def _marks(file: _File, execution: str, tail: int) -> array[int]:
    """Every 1024th start of the chain that ends at `tail`, first ones first; the first record's start is among them.

    A closed journal's chains do not change, so they are walked once for as long as somebody reads the tree.
    """
    found = file.marks.get(execution)
    if found is None:
        backwards = array("Q")
        at, steps = tail, 0
        while at:
            if steps % _STRIDE == 0:
                backwards.append(at)
            steps += 1
            at = _before(file, at)
        found = file.marks[execution] = array("Q", reversed(backwards))
    return found


async def _read_chain(file: _File, head: int, marks: array[int], after: int, limit: int) -> Batch:
    """The first records of a chain that start at or behind `after`, about `limit` bytes of them."""
    nearest = bisect_left(marks, after)
    if nearest == len(marks):
        return Batch([], max(after, head))
    starts: list[int] = []
    at = marks[nearest]
    while at and at >= after:
        starts.append(at)
        at = _before(file, at)
    records: list[Record] = []
    size = 0
    for start in reversed(starts):
        length = journal.frame_length(os.pread(file.descriptor, journal.FRAME_SIZE, start))
        record = journal.unpack_frame(memoryview(await _pread(file.descriptor, length, start)), 0, start)
        if record is None:
            break
        records.append(record)
        size += length
        if size >= limit:
            break
    return Batch(records, records[-1].end if records else after)


def _header(file: _File, at: int) -> tuple[Record | None, int]:
    """The record at `at` without tag and payload, and the length of its frame; None where none seems to be."""
    head = bytearray(os.pread(file.descriptor, journal.FRAME_SIZE, at))
    if not journal.plausible(head, 0, file.nonce):
        return None, 0
    length = journal.frame_length(head)
    # The header alone is enough to go on, so the frame is told to end with it.
    head[4:8] = journal.FRAME_SIZE.to_bytes(4, "little")
    head[15] = 0
    return journal.unpack_frame(memoryview(head), 0, at), length


def _before(file: _File, at: int) -> int:
    """Where the record before the one at `at` in its chain starts; 0 at the chain's beginning, and at damage.

    A chain only ever leads towards the beginning of the file: what does not is damage, and would be followed for ever.
    """
    record, _ = _header(file, at)
    return record.prev if record is not None and journal.HEADER_SIZE <= record.prev < at else 0


async def _pread(descriptor: int, size: int, at: int) -> bytes | memoryview:
    """Reads from memory at once; what is only on the disk is read by a thread, so that nobody else waits for it."""
    buffer = bytearray(size)
    try:
        count = os.preadv(descriptor, [buffer], at, os.RWF_NOWAIT)
    except OSError:
        count = -1
    if count < size:
        return await asyncio.to_thread(os.pread, descriptor, size, at)
    return memoryview(buffer)
