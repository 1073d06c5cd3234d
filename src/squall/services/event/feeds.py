"""The live feed of everything: every change of every resource, and what is printed while somebody listens to it.

Changes come from the event table, output from the journals. Both go into one ring that all listeners read with
cursors, so a slow listener costs no memory: what has left the ring it reads from the table, and for output it is told
that there is a gap.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from squall.core.event.events import EXECUTION, Event
from squall.core.execution import execution as ex
from squall.core.output import journal
from squall.core.output.places import BEGINNING, Place
from squall.ports import Bus, Journal, Store, Tx
from squall.services.event.ring import Cursor, Item, Ring
from squall.services.lanes import CHANGED
from squall.services.output.outputs import CHUNK, Outputs

_READ = 512


class _Tap:
    """The reading of one tree's journal for the ring."""

    def __init__(self, position: Place) -> None:
        self.position = position
        self.done = asyncio.Event()


class Feeds:
    """Fills the ring while somebody listens. `poll` (seconds) makes hints unnecessary."""

    def __init__(self, store: Store, bus: Bus, journal_port: Journal, outputs: Outputs, *, poll: float) -> None:
        self._store = store
        self._bus = bus
        self._journal = journal_port
        self._outputs = outputs
        self._poll = poll
        self._ring = Ring()
        self._row = 0
        self._listeners = 0
        self._output_listeners = 0
        self._taps: dict[str, _Tap] = {}
        self._lock = asyncio.Lock()
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Passes hints on to the journals' readers, and fills the ring, until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            with self._bus.subscribe(CHANGED) as hints:
                while True:
                    for tree in await hints.wait(self._poll):
                        self._journal.poke(tree)
                    if self._listeners:
                        async with self._lock:
                            await self._collect()

    def stop(self) -> None:
        """Wakes every listener; they see that the server stops."""
        self._ring.stop()

    @asynccontextmanager
    async def listen(self, with_output: bool) -> AsyncIterator[Cursor]:
        """A cursor at the present; `with_output` also has what is printed from now on."""
        async with self._lock:
            if self._listeners == 0:
                self._ring.clear()
                _, self._row = await self._store.read(lambda tx: tx.events.bounds())
            else:
                await self._collect()
            if with_output and self._output_listeners == 0:
                await self._tap_running()
            self._listeners += 1
            self._output_listeners += with_output
            cursor = Cursor(self._ring, self._ring.end, self._row)
        try:
            yield cursor
        finally:
            self._listeners -= 1
            self._output_listeners -= with_output
            if self._output_listeners == 0:
                for tap in self._taps.values():
                    tap.done.set()
                self._taps.clear()

    async def events_between(self, row: int, until: int) -> tuple[list[Event], bool]:
        """The changes behind `row` up to `until`, and whether the table no longer has all of them."""

        async def work(tx: Tx) -> tuple[list[Event], int]:
            first, _ = await tx.events.bounds()
            found: list[Event] = []
            at = row
            while at < until and (rows := await tx.events.after(at, _READ)):
                found += [event for event in rows if event.id <= until]
                at = rows[-1].id
            return found, first

        found, first = await self._store.read(work)
        return found, first > row + 1

    async def rows(self, execution_id: str) -> dict[str, int]:
        """The event rows that tell an execution's statuses, the last of each; only those that are still kept."""
        found = await self._store.read(lambda tx: tx.events.of(EXECUTION, execution_id))
        return {event.status: event.id for event in found}

    async def document(self, row: int) -> bytes:
        """Returns the document of an event, JSON; empty if it has none, or if its resource was purged."""
        return await self._store.read(lambda tx: tx.events.document(row))

    def behind(self, cursor: Cursor, now: int) -> tuple[int, int]:
        """How far a listener is behind at `now` (µs); see `Ring.behind`."""
        return self._ring.behind(cursor.number, now)

    async def _collect(self) -> None:
        """Brings the ring up to the event table. A final event waits for the output before it."""
        full = True
        while full:
            rows = await self._store.read(lambda tx: tx.events.after(self._row, _READ))
            full = len(rows) == _READ
            for event in rows:
                if self._output_listeners and event.kind == EXECUTION:
                    await self._tap_for(event)
                self._row = event.id
                self._ring.append(Item(event.id, event, ()))

    async def _tap_running(self) -> None:
        """Taps what runs now, from the present on."""

        async def work(tx: Tx) -> set[str]:
            found = [await tx.executions.get(key, False) for key in await tx.executions.unfinished(None)]
            return {execution.tree for execution in found if execution is not None}

        for tree in await self._store.read(work):
            with self._journal.watch(tree) as watch:
                self._tap(tree, watch.head)

    async def _tap_for(self, event: Event) -> None:
        tap = self._taps.get(event.tree)
        if tap is None:
            # A tree that is not followed yet has just begun, or its output so far was nobody's.
            with self._journal.watch(event.tree) as watch:
                tap = self._tap(event.tree, BEGINNING if event.resource == event.tree else watch.head)
        if event.status not in ex.FINAL:
            return
        over = not await self._store.read(lambda tx: tx.executions.unfinished(event.tree))
        if self._outputs.live or over:
            await self._drain(event.tree, tap)
        if over:
            tap.done.set()
            self._taps.pop(event.tree, None)

    def _tap(self, tree: str, position: Place) -> _Tap:
        tap = self._taps[tree] = _Tap(position)
        if self._group is not None and self._outputs.live:
            self._group.create_task(self._follow(tree, tap))
        return tap

    async def _follow(self, tree: str, tap: _Tap) -> None:
        with self._journal.watch(tree) as watch:
            while not tap.done.is_set() and not self._outputs.stopping:
                if await watch.beyond(tap.position, self._poll):
                    async with self._lock:
                        await self._drain(tree, tap, collect=True)

    async def _drain(self, tree: str, tap: _Tap, collect: bool = False) -> None:
        """Moves what the tree's journal has into the ring. With streaming off it is done once, at the tree's end.

        With `collect` the changes that were made before come first: that an execution runs stands before what it
        prints. Everybody who drains holds the feed's lock.
        """
        while not tap.done.is_set():
            position = tap.position
            batch = await self._journal.read(tree, position, CHUNK)
            if batch.position == position:
                return
            if collect:
                await self._collect()
            if tap.position != position or tap.done.is_set():
                # Among the changes was the end of this tree, before which this very output has been moved.
                continue
            tap.position = batch.position
            records = tuple(r for r in batch.records if r.kind in (journal.OUTPUT, journal.GAP))
            if records:
                self._ring.append(Item(self._row, None, records))
                # Listeners that keep up must get their turn before the ring turns over.
                await asyncio.sleep(0)
            if collect:
                # One piece at a time, so that who comes to listen does not wait for the end of an endless output.
                return
