"""Reads the output of executions from the journal: from any position, while they run or later.

A reader must watch first, then read, then wait. Any other order loses the records appended in between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from time import monotonic

import msgspec

from squall.core.errors import InvalidError
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution
from squall.core.output import journal
from squall.core.output.journal import Batch, Record
from squall.core.output.places import Place, format_place
from squall.ports import Journal, Store, Watch
from squall.services.output.ends import Ends
from squall.services.output.labels import Label, Labels
from squall.services.output.losses import Losses

CHUNK = 256 << 10
"""The approximate number of bytes in one batch."""

_SHARED = 32


class Outputs:
    """The readers of journals. `poll`: a waiting reader checks the journal at least every so many seconds.

    With `live` false (StackStorm's `stream_output = False`) output is delivered only after its execution ended.
    """

    def __init__(self, store: Store, journal_port: Journal, *, poll: float, live: bool) -> None:
        self._journal = journal_port
        self._poll = poll
        self.live = live
        self._ends = Ends(store)
        self._labels = Labels(store)
        self.losses = Losses(store, journal_port)
        """What the journals do not hold any more."""
        self._read_last: dict[tuple[str, str | None, Place], tuple[Batch, frozenset[str]]] = {}
        self._waited_for: Counter[str] = Counter()
        self.followers = 0
        """The number of readers now."""
        self.stopping = False
        self._caches: list[Callable[[], None]] = []

    def add_cache(self, clear: Callable[[], None]) -> None:
        """Adds a cache of what readers get; `clear` empties it."""
        self._caches.append(clear)

    async def clear_caches(self) -> None:
        """Empties the caches unless somebody reads: a few may read the same one after the other."""
        if not self.followers and not self._waited_for:
            self._read_last.clear()
            self.losses.clear()
            for clear in self._caches:
                clear()

    def stop(self) -> None:
        """Ends every follower at its current position. From now on no follower waits for more."""
        self.stopping = True
        for tree in list(self._waited_for):
            self._journal.poke(tree)

    @contextmanager
    def reader(self) -> Iterator[None]:
        """Counts one reader among `followers`."""
        self.followers += 1
        try:
            yield
        finally:
            self.followers -= 1

    @contextmanager
    def _watched(self, tree: str) -> Iterator[Watch]:
        """Watches a tree; `stop` pokes the watch."""
        self._waited_for[tree] += 1
        try:
            with self._journal.watch(tree) as watch:
                yield watch
        finally:
            self._waited_for[tree] -= 1
            if not self._waited_for[tree]:
                del self._waited_for[tree]

    def head(self, tree: str) -> Place:
        """Returns the current end of the tree's journal."""
        return self._journal.head(tree)

    def left(self, tree: str, place: Place) -> int:
        """Returns the number of bytes in the tree's journal after a place."""
        return self._journal.distance(place, self._journal.head(tree))

    def distance(self, start: Place, end: Place) -> int:
        """Returns about how many bytes lie between two places of one journal; 0 if `end` is not after `start`."""
        return self._journal.distance(start, end)

    def order(self, place: Place) -> int:
        """Returns a number that sorts the places of one tree: a later place has a larger number."""
        return self._journal.order(place)

    async def holds(self, tree: str, position: Place) -> bool:
        """Checks whether `position` is a position of the tree's journal."""
        return await self._journal.check(tree, position)

    async def check(self, tree: str, position: Place) -> None:
        """Raises `InvalidError` if `position` is not a position of the tree's journal."""
        if not await self._journal.check(tree, position):
            token = format_place(position)
            raise InvalidError(f'after: "{token}" is not a position of this execution\'s output.')

    async def follow(
        self,
        execution: Execution,
        whole_tree: bool,
        after: Place,
        wait: bool,
        heartbeat: float,
        until: Place | None = None,
    ) -> AsyncGenerator[Batch | None, None]:
        """Yields batches after a position; None after `heartbeat` seconds without records.

        Ends after the execution's final status record, or if it ended without one; with `wait` false, at the current
        end of the journal; at the position `until`; and when the server stops (then `stopping` is true). Before the
        end of an execution whose journal does not hold all that it has printed there are gap records.
        """
        single = None if whole_tree else execution.id
        with self._watched(execution.tree) as watch:
            position = after
            last = monotonic()
            last_changes = watch.changes
            checked_end = not self.live
            ended = checked_end and await self.settled(execution.id)
            while not self.stopping and position != until:
                if self.live or ended:
                    batch, ends = await self._shared(watch, execution.tree, single, position)
                else:
                    batch, ends = Batch([], position), frozenset()
                if batch.position != position:
                    if execution.id in ends:
                        end = next(each for each in batch.records if is_end(each, execution.id))
                        batch = await self.losses.told(batch, execution, whole_tree, end.start)
                    if until is not None and self.order(batch.position) > self.order(until):
                        batch, ends = self._up_to(batch, until), frozenset()
                    position, last = batch.position, monotonic()
                    yield batch
                    if execution.id in ends:
                        return
                    continue
                if ended or not wait:
                    if ended or await self.settled(execution.id):
                        batch = await self.losses.told(Batch([], position), execution, whole_tree, position)
                        if batch.records and (after != batch.position):
                            yield batch
                    return
                # With streaming off, the reader waits for the end, so records that are there must not wake it.
                behind = position if self.live else None
                if checked_end and await watch.beyond(behind, min(self._poll, heartbeat), last_changes):
                    continue
                # Check the end first, then read again, so that no record written before the end is missed.
                last_changes, checked_end = watch.changes, True
                ended = await self.settled(execution.id)
                if monotonic() - last >= heartbeat and not ended:
                    last = monotonic()
                    yield None

    def _up_to(self, batch: Batch, until: Place) -> Batch:
        most = self.order(until)
        return Batch([record for record in batch.records if self.order(record.end) <= most], until)

    async def _shared(
        self, watch: Watch, tree: str, execution: str | None, position: Place
    ) -> tuple[Batch, frozenset[str]]:
        """Returns the batch after a position, and the executions that end in it. Readers at one position share it."""
        key = (tree, execution, position)
        shared = self._read_last.get(key)
        # A short batch is read again if more records follow it by now: fewer, longer batches cost all readers less.
        if shared is None or (shared[0].position != watch.head and self.distance(position, shared[0].position) < CHUNK):
            if execution is None:
                batch = await self._journal.read(tree, position, CHUNK)
            else:
                batch = await self._journal.read_execution(tree, execution, position, CHUNK)
            if batch.position == position:
                return batch, frozenset()
            shared = batch, frozenset(record.execution for record in batch.records if _ends(record))
            self._read_last.pop(key, None)
            if len(self._read_last) >= _SHARED:
                del self._read_last[next(iter(self._read_last))]
            self._read_last[key] = shared
        return shared

    async def settled(self, execution_id: str) -> bool:
        """Checks whether an execution has ended and the queue holds no more records for its journal."""
        return await self._ends.settled(execution_id)

    @asynccontextmanager
    async def changes(self, tree: str) -> AsyncIterator[Callable[[float], Awaitable[bool]]]:
        """Yields a function that waits until a tree changes, at most so many seconds, and returns whether it changed.

        A change since the previous call, or since the context was entered, counts.
        """
        with self._watched(tree) as watch:
            last_changes = watch.changes

            async def wait(timeout: float) -> bool:
                nonlocal last_changes
                if not self.stopping:
                    await watch.beyond(None, min(timeout, self._poll), last_changes)
                changed, last_changes = watch.changes != last_changes, watch.changes
                return changed

            yield wait

    async def labels(self, execution_ids: set[str]) -> dict[str, Label]:
        """Returns the label of each execution, by id; executions that do not exist are left out."""
        return await self._labels.of(execution_ids)

    async def unfinished(self, tree: str, end: Record) -> dict[tuple[str, int], bytes]:
        """Returns the bytes of unfinished characters at the end of the output, by execution and stream.

        `end` is the execution's final status record.
        """
        last = await self._journal.read_last(tree, end.prev, dict.fromkeys(journal.STREAMS, 1))
        leads = {(r.execution, r.stream): journal.decode_text(r.lead, r.payload)[1] for r in last}
        return {key: lead for key, lead in leads.items() if lead}


def status_of(record: Record) -> str:
    """Returns the status in a status record."""
    status: str = msgspec.json.decode(record.payload)["status"]
    return status


def _ends(record: Record) -> bool:
    return record.kind == journal.STATUS and status_of(record) in ex.FINAL


def is_end(record: Record, execution_id: str) -> bool:
    """Checks whether this is the final status record of the execution."""
    return record.execution == execution_id and _ends(record)
