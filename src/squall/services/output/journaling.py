"""Works through the lane `journal`: copies status changes into the tree's journal, in their order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence

import msgspec

from squall.core.errors import SquallError
from squall.core.output.journal import PROGRESS, STATUS, ServerRecord, note_event
from squall.ports import Bus, Clock, Due, Journal, Launcher, Store, Tx
from squall.services.lanes import (
    AT_ONCE,
    CHANGED,
    COMPLETE,
    JOURNAL,
    JournalRecords,
    PayloadError,
    ProgressRecords,
    is_final,
    records_of,
)

_LOG = logging.getLogger("squall.journaling")
_LEASE = 30_000_000
_UNREADABLE_DELAY = 60_000_000
MOST = 256
"""The most rows that one call of `carry` claims. A smaller result means that no more rows are due."""


class Journaling:
    """Appends status records. A crash may append a record twice; its event row identifies the duplicate to drop."""

    def __init__(self, store: Store, bus: Bus, clock: Clock, launcher: Launcher, journal: Journal, owner: str) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._launcher = launcher
        self._journal = journal
        self._owner = owner

    async def carry(self) -> int:
        """Appends the records of at most `MOST` due rows. Returns the number of claimed rows.

        Raises `OSError` (a full disk) or `SquallError` (no keeper) if a tree failed; its rows are due again.
        """
        now = self._clock.now()
        tasks = await self._store.tx(lambda tx: tx.queue.claim(JOURNAL, self._owner, now, _LEASE, MOST), durable=False)
        if not tasks:
            return 0
        by_tree: dict[str, list[tuple[Due, JournalRecords]]] = {}
        unreadable: list[Due] = []
        for task in tasks:
            try:
                records = records_of(task)
            except PayloadError as error:
                _LOG.error("a status record waits for a version that can read it", extra={"error": str(error)})
                unreadable.append(task)
                continue
            by_tree.setdefault(records.tree, []).append((task, records))
        done: set[str] = set()
        try:
            results = await asyncio.gather(*(self._append(tree, rows, done) for tree, rows in by_tree.items()))
        finally:
            await self._settle(by_tree, done, unreadable)
        if failure := next((error for error in results if error is not None), None):
            raise failure
        return len(tasks)

    async def _append(
        self, tree: str, rows: list[tuple[Due, JournalRecords]], done: set[str]
    ) -> OSError | SquallError | None:
        """Appends the records of one tree's rows and adds the tree to `done`.

        Returns the error if that failed: then all rows of this tree wait, and the other trees go on.
        """
        try:
            await self._launcher.append(tree, [record for row in rows for record in _journaled(*row)])
        except (OSError, SquallError) as error:
            return error
        done.add(tree)
        return None

    async def _settle(
        self, rows: Mapping[str, Sequence[tuple[Due, JournalRecords]]], done: Collection[str], unreadable: Sequence[Due]
    ) -> None:
        """Removes the rows of the trees in `done`, releases the other rows, the unreadable ones for later, and closes
        complete journals."""
        now = self._clock.now()
        finished = [tree for tree in done if any(is_final(records) for _, records in rows[tree])]

        async def work(tx: Tx) -> list[str]:
            for tree, due in rows.items():
                for task, _ in due:
                    if tree in done:
                        await tx.queue.done(task)
                    else:
                        await tx.queue.release(task, AT_ONCE)
            for task in unreadable:
                await tx.queue.release(task, now + _UNREADABLE_DELAY)
            return [tree for tree in finished if await self._is_complete(tx, tree)]

        complete = await self._store.tx(work, durable=bool(finished))
        await asyncio.gather(*(self._launcher.close_tree(tree) for tree in complete))
        for tree in complete:
            self._bus.publish(COMPLETE, tree)
        for tree in done:
            self._journal.poke(tree)
            self._bus.publish(CHANGED, tree)

    @staticmethod
    async def _is_complete(tx: Tx, tree: str) -> bool:
        """Checks whether all executions of a tree have ended and the root's last record has been appended."""
        return not await tx.executions.unfinished(tree) and not await tx.queue.holds(JOURNAL, tree)


def _journaled(task: Due, records: JournalRecords) -> list[ServerRecord]:
    """Returns the journal records for a row of the lane."""
    if isinstance(records, ProgressRecords):
        return [
            ServerRecord(task.key, PROGRESS, records.at, note_event(task.id, number), msgspec.json.encode(note))
            for number, note in enumerate(records.notes)
        ]
    payload = msgspec.json.encode({"status": records.status})
    # A single execution without output needs no journal. The journal of a tree records every member, also silent ones.
    return [ServerRecord(task.key, STATUS, records.at, records.event, payload, records.create)]
