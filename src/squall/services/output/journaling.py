"""Works through the lane `journal`: copies status changes into the tree's journal, in their order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

import msgspec

from squall.core.errors import SquallError
from squall.core.output.journal import PROGRESS, STATUS, ServerRecord, note_event
from squall.ports import Bus, Clock, Due, Journal, Launcher, Store, Tx
from squall.services.lanes import (
    AT_ONCE,
    CHANGED,
    COMPLETE,
    JOURNAL,
    UNSYNCED,
    JournalRecords,
    PayloadError,
    ProgressRecords,
    is_final,
    records_of,
)
from squall.services.suspects import Suspects

_LOG = logging.getLogger("squall.journaling")
_LEASE = 30_000_000
_UNREADABLE_DELAY = 60_000_000
MOST = 256
"""The most rows that one call of `carry` claims. A smaller result means that no more rows are due."""


class Journaling:
    """Appends status records. A crash may append a record twice; its event row identifies the duplicate to drop."""

    def __init__(
        self, store: Store, bus: Bus, clock: Clock, launcher: Launcher, journal: Journal, suspects: Suspects
    ) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._launcher = launcher
        self._journal = journal
        self._suspects = suspects

    async def carry(self) -> int:
        """Appends the records of at most `MOST` due rows. Returns the number of claimed rows.

        Raises `OSError` (a full disk) or `SquallError` (no keeper) if a tree failed; its rows are due again.
        """
        now = self._clock.now()

        async def claim(tx: Tx) -> Sequence[Due]:
            return await self._suspects.claim(tx, JOURNAL, now, _LEASE, MOST, subject=_tree)

        tasks = await self._store.tx(claim, durable=False)
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
        done: dict[str, bool] = {}
        try:
            watched = self._suspects.watched
            results = await asyncio.gather(
                *(watched(JOURNAL, tree, self._append(tree, rows, done)) for tree, rows in by_tree.items())
            )
        finally:
            await self._settle(by_tree, done, unreadable)
        if failure := next((error for error in results if error is not None), None):
            raise failure
        return len(tasks)

    async def _append(
        self, tree: str, rows: list[tuple[Due, JournalRecords]], done: dict[str, bool]
    ) -> OSError | SquallError | None:
        """Appends the records of one tree's rows and adds the tree to `done`, with True if it has a journal.

        Returns the error if that failed: then all rows of this tree wait, and the other trees go on.
        """
        try:
            has_journal = await self._launcher.append(tree, [record for row in rows for record in _journaled(*row)])
        except (OSError, SquallError) as error:
            return error
        done[tree] = has_journal
        return None

    async def _settle(
        self,
        rows: Mapping[str, Sequence[tuple[Due, JournalRecords]]],
        done: Mapping[str, bool],
        unreadable: Sequence[Due],
    ) -> None:
        """Removes the rows of the trees in `done`, releases the other rows, the unreadable ones for later, and closes
        complete journals. The row of a final status moves to lane `unsynced` until its journal is sealed."""
        now = self._clock.now()
        finished = [tree for tree in done if any(is_final(records) for _, records in rows[tree])]

        async def work(tx: Tx) -> list[str]:
            for tree, due in rows.items():
                for task, records in due:
                    if tree not in done:
                        await tx.queue.release(task, AT_ONCE)
                    elif done[tree] and is_final(records):
                        await tx.queue.move(task, UNSYNCED)
                    else:
                        await tx.queue.done(task)
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

    async def append_again(self) -> int:
        """Lets `carry` append all final statuses again that a loss of power may have taken from journals. Returns their
        number. Records that are there are not appended twice."""
        return await self._store.tx(lambda tx: tx.queue.move_all(UNSYNCED, JOURNAL))

    @staticmethod
    async def _is_complete(tx: Tx, tree: str) -> bool:
        """Checks whether all executions of a tree have ended and the root's last record has been appended."""
        return not await tx.executions.unfinished(tree) and not await tx.queue.holds(JOURNAL, tree)


def _tree(task: Due) -> str:
    """Returns the tree to whose journal the records of a row belong; empty if the row cannot be read."""
    try:
        return records_of(task).tree
    except PayloadError:
        return ""


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
