"""The live feed of events and output: every change of every resource, and output while a client listens to it.

Changes come from the event table, output from the journals. Both go into one ring that all listeners read with
cursors, so a slow listener costs no memory. It reads the changes that have left the ring from the table; for output
that has left the ring it gets a gap.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from squall.core.environment import RETRIED
from squall.core.event.events import EXECUTION, Event
from squall.core.event.rules.records import TriggerInstance
from squall.core.execution import execution as ex
from squall.core.output import journal
from squall.core.output.places import BEGINNING, Place
from squall.ports import Bus, Journal, Store, Tx
from squall.services.event.ring import Cursor, Item, Ring
from squall.services.lanes import CHANGED
from squall.services.output.outputs import CHUNK, Outputs

_LOG = logging.getLogger("squall.feeds")
_READ = 512
_BACK_OFF = 0.5


class _Tap:
    """The state of reading one tree's journal into the ring."""

    def __init__(self, position: Place) -> None:
        self.position = position
        self.done = asyncio.Event()


class Feeds:
    """The feed of one server. It fills the ring while a client listens. It polls every `poll` seconds without hints."""

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
        """Passes hints to the readers of journals and fills the ring, until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            with self._bus.subscribe(CHANGED) as hints:
                while True:
                    trees = await hints.wait(self._poll)
                    try:
                        for tree in trees:
                            self._journal.poke(tree)
                        if self._listeners:
                            async with self._lock:
                                await self._collect()
                    except RETRIED as error:
                        # What is missing is read in the next round.
                        _LOG.warning("could not pass on what happened; trying again", extra={"error": str(error)})
                        await asyncio.sleep(_BACK_OFF)

    def stop(self) -> None:
        """Wakes every listener, so that it sees that the server stops."""
        self._ring.stop()

    @asynccontextmanager
    async def listen(self, with_output: bool) -> AsyncIterator[Cursor]:
        """Yields a cursor at the ring's current end. If `with_output`, the ring gets all output from now on."""
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

    async def events_between(self, row: int, until: int, frequent: bool = True) -> tuple[list[Event], bool]:
        """Returns the events after `row` up to `until`, and whether the table no longer has all of them. Events of the
        frequent kinds may be missing unless `frequent`."""

        async def work(tx: Tx) -> tuple[list[Event], int]:
            removed = await tx.events.removed(False)
            if frequent:
                removed = max(removed, await tx.events.removed(True))
            events: list[Event] = []
            at = row
            while at < until and (rows := await tx.events.after(at, _READ)):
                events += [event for event in rows if event.id <= until]
                at = rows[-1].id
            return events, removed

        events, removed = await self._store.read(work)
        return events, removed > row

    async def rows(self, execution_id: str) -> dict[str, int]:
        """Returns the last event row of each status of an execution; only rows that are still in the table."""
        events = await self._store.read(lambda tx: tx.events.of(EXECUTION, execution_id))
        return {event.status: event.id for event in events}

    async def document(self, row: int) -> bytes:
        """Returns the document of an event, JSON; empty if it has none, or if its resource was purged."""
        return await self._store.read(lambda tx: tx.events.document(row))

    async def instance(self, instance_id: str) -> TriggerInstance | None:
        """Returns a trigger instance; None if it is no longer kept."""
        return await self._store.read(lambda tx: tx.instances.get(instance_id))

    def behind(self, cursor: Cursor, now: int) -> tuple[int, int]:
        """Returns how far a listener is behind at `now` (µs); see `Ring.behind`."""
        return self._ring.behind(cursor.number, now)

    async def _collect(self) -> None:
        """Copies new events from the table into the ring. Output that was printed before a final event comes first."""
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
        """Taps the trees that run now, from the current ends of their journals."""

        async def work(tx: Tx) -> set[str]:
            executions = [await tx.executions.get(key, False) for key in await tx.executions.unfinished(None)]
            return {execution.tree for execution in executions if execution is not None}

        for tree in await self._store.read(work):
            with self._journal.watch(tree) as watch:
                self._tap(tree, watch.head)

    async def _tap_for(self, event: Event) -> None:
        tap = self._taps.get(event.tree)
        if tap is None:
            # A tree without a tap has just begun, or no client listened to its output so far.
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
        while not tap.done.is_set() and not self._outputs.stopping:
            try:
                await self._pass_on(tree, tap)
            except RETRIED as error:
                _LOG.warning("could not pass on an output; trying again", extra={"error": str(error)})
                await asyncio.sleep(_BACK_OFF)

    async def _pass_on(self, tree: str, tap: _Tap) -> None:
        with self._journal.watch(tree) as watch:
            while not tap.done.is_set() and not self._outputs.stopping:
                if await watch.beyond(tap.position, self._poll):
                    async with self._lock:
                        await self._drain(tree, tap, collect=True)

    async def _drain(self, tree: str, tap: _Tap, collect: bool = False) -> None:
        """Copies new records of the tree's journal into the ring. With streaming off this happens once, at its end.

        If `collect`, copies new events first: the event that an execution runs comes before its output. The caller
        must hold the feed's lock.
        """
        while not tap.done.is_set():
            position = tap.position
            batch = await self._journal.read(tree, position, CHUNK)
            if batch.position == position:
                return
            if collect:
                await self._collect()
            if tap.position != position or tap.done.is_set():
                # One of the events was the end of this tree, and this output has been copied before it.
                continue
            tap.position = batch.position
            records = tuple(r for r in batch.records if r.kind in (journal.OUTPUT, journal.GAP))
            if records:
                self._ring.append(Item(self._row, None, records))
                # Listeners that keep up must get their turn before the ring turns over.
                await asyncio.sleep(0)
            if collect:
                # Copy one batch at a time, so that a new listener does not wait for the end of an endless output.
                return
