"""Reading what executions printed: from any position, live or later, through the one door of the journal.

Always: watch first, then read, then wait. Whoever does so in another order loses what comes in between.
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

CHUNK = 256 << 10
"""About how many bytes a reader is given at once."""

_SHARED = 32


class Outputs:
    """Readers of journals. `poll` is how long (seconds) a reader waits at most before it looks by itself.

    With `live` false (StackStorm's `stream_output = False`) output shows only when its execution has ended.
    """

    def __init__(self, store: Store, journal_port: Journal, *, poll: float, live: bool) -> None:
        self._journal = journal_port
        self._poll = poll
        self.live = live
        self._ends = Ends(store)
        self._labels = Labels(store)
        self._read_last: dict[tuple[str, str | None, Place], tuple[Batch, frozenset[str]]] = {}
        self._waited_for: Counter[str] = Counter()
        self.followers = 0
        """How many readers there are now."""
        self.stopping = False

    def stop(self) -> None:
        """Ends every follower at the position it has reached: from now on none waits for more."""
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
        """A watch on a tree that `stop` pokes."""
        self._waited_for[tree] += 1
        try:
            with self._journal.watch(tree) as watch:
                yield watch
        finally:
            self._waited_for[tree] -= 1
            if not self._waited_for[tree]:
                del self._waited_for[tree]

    def head(self, tree: str) -> Place:
        """Where the tree's journal ends now."""
        return self._journal.head(tree)

    def left(self, tree: str, place: Place) -> int:
        """How many bytes of the tree's journal come after a place."""
        return self._journal.distance(place, self._journal.head(tree))

    def distance(self, start: Place, end: Place) -> int:
        """About how many bytes of one tree's journal lie between two places; 0 if `end` is not behind `start`."""
        return self._journal.distance(start, end)

    def order(self, place: Place) -> int:
        """A number by which the places of one tree are sorted: larger for a later one."""
        return self._journal.order(place)

    async def holds(self, tree: str, position: Place) -> bool:
        """Whether `position` is one of the tree's journal."""
        return await self._journal.check(tree, position)

    async def check(self, tree: str, position: Place) -> None:
        """Raises `InvalidError` when `position` is not one of the tree's journal."""
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
        """Batches after a position; None when nothing came for `heartbeat` seconds.

        Ends behind the execution's final status record, or when it has ended without one; with `wait` false, when
        nothing more is there; at the position `until`; and when the server stops (then `stopping` is true).
        """
        single = None if whole_tree else execution.id
        with self._watched(execution.tree) as watch:
            position = after
            last = monotonic()
            seen = watch.changes
            asked = not self.live
            ended = asked and await self.settled(execution.id)
            while not self.stopping and position != until:
                if self.live or ended:
                    batch, ends = await self._shared(watch, execution.tree, single, position)
                else:
                    batch, ends = Batch([], position), frozenset()
                if batch.position != position:
                    if until is not None and self.order(batch.position) > self.order(until):
                        batch, ends = self._up_to(batch, until), frozenset()
                    position, last = batch.position, monotonic()
                    yield batch
                    if execution.id in ends:
                        return
                    continue
                if ended or not wait:
                    return
                # With streaming off, what is there already is not what is waited for.
                behind = position if self.live else None
                if asked and await watch.beyond(behind, min(self._poll, heartbeat), seen):
                    continue
                # Asked before reading once more, so that what was written before the end is not missed.
                seen, asked = watch.changes, True
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
        """What is read from a position, and the executions whose end is in it: read once for all who stand there."""
        key = (tree, execution, position)
        found = self._read_last.get(key)
        # A short piece behind which there is more by now is read again: fewer and longer ones cost everybody less.
        if found is None or (found[0].position != watch.head and self.distance(position, found[0].position) < CHUNK):
            if execution is None:
                batch = await self._journal.read(tree, position, CHUNK)
            else:
                batch = await self._journal.read_execution(tree, execution, position, CHUNK)
            if batch.position == position:
                return batch, frozenset()
            found = batch, frozenset(record.execution for record in batch.records if _ends(record))
            self._read_last.pop(key, None)
            if len(self._read_last) >= _SHARED:
                del self._read_last[next(iter(self._read_last))]
            self._read_last[key] = found
        return found

    async def settled(self, execution_id: str) -> bool:
        """Whether an execution has ended and its last status record has been taken care of."""
        return await self._ends.settled(execution_id)

    @asynccontextmanager
    async def changes(self, tree: str) -> AsyncIterator[Callable[[float], Awaitable[bool]]]:
        """Gives a function that waits (at most so many seconds) until something about a tree changes: whether it did.

        What changed since the last call, or since this was entered, counts.
        """
        with self._watched(tree) as watch:
            seen = watch.changes

            async def wait(timeout: float) -> bool:
                nonlocal seen
                if not self.stopping:
                    await watch.beyond(None, min(timeout, self._poll), seen)
                changed, seen = watch.changes != seen, watch.changes
                return changed

            yield wait

    async def labels(self, execution_ids: set[str]) -> dict[str, Label]:
        """Action, runner, parent, task and depth of each of these executions."""
        return await self._labels.of(execution_ids)

    async def unfinished(self, tree: str, end: Record) -> dict[tuple[str, int], bytes]:
        """The unfinished characters an execution left, by execution and stream; `end` is its final status record."""
        last = await self._journal.read_last(tree, end.prev, dict.fromkeys(journal.STREAMS, 1))
        leads = {(r.execution, r.stream): journal.decode_text(r.lead, r.payload)[1] for r in last}
        return {key: lead for key, lead in leads.items() if lead}


def status_of(record: Record) -> str:
    """The status that a status record tells."""
    told: str = msgspec.json.decode(record.payload)["status"]
    return told


def _ends(record: Record) -> bool:
    return record.kind == journal.STATUS and status_of(record) in ex.FINAL


def is_end(record: Record, execution_id: str) -> bool:
    """Whether this is the final status record of the execution."""
    return record.execution == execution_id and _ends(record)
