"""Carries the lane `journal`: copies of status changes into the tree's journal, in the order they were made."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from squall.core.errors import SquallError
from squall.core.output.journal import PROGRESS, STATUS, note_event
from squall.ports import Bus, Clock, Due, Journal, Launcher, Store, Tx
from squall.services.lanes import CHANGED, JOURNAL, ProgressRecords, is_final, records_of

_LEASE = 30_000_000
MOST = 256
"""How many rows `carry` takes at once: when it gave fewer, there were no more."""


class Journaling:
    """Appends status records. A record may be appended twice after a crash; its event row tells, and drops it."""

    def __init__(self, store: Store, bus: Bus, clock: Clock, launcher: Launcher, journal: Journal, owner: str) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._launcher = launcher
        self._journal = journal
        self._owner = owner

    async def carry(self) -> int:
        """Appends what is due, at most `MOST` rows; gives how many there were. Raises `OSError` (a full disk) or
        `SquallError` (no keeper) when some of it could not be: that is due again."""
        now = self._clock.now()
        tasks = await self._store.tx(lambda tx: tx.queue.claim(JOURNAL, self._owner, now, _LEASE, MOST))
        if not tasks:
            return 0
        done: list[Due] = []
        failures: dict[str, OSError | SquallError] = {}
        try:
            for task in tasks:
                tree = records_of(task).tree
                # Behind a record that could not be appended those of its tree wait as well; other trees do not.
                if tree not in failures:
                    try:
                        await self._append(task)
                        done.append(task)
                    except (OSError, SquallError) as error:
                        failures[tree] = error
        finally:
            await self._settle(tasks, done)
        if failures:
            raise next(iter(failures.values()))
        return len(tasks)

    async def _append(self, task: Due) -> None:
        records = records_of(task)
        if isinstance(records, ProgressRecords):
            await self._append_progress(task, records)
            return
        payload = msgspec.json.encode({"status": records.status})
        # A lonely execution that printed nothing needs no journal; a family's is its story, also of silent ones.
        await self._launcher.append(
            records.tree, task.key, STATUS, records.at, records.event, payload, create=records.create
        )

    async def _append_progress(self, task: Due, records: ProgressRecords) -> None:
        for number, note in enumerate(records.notes):
            event, payload = note_event(task.id, number), msgspec.json.encode(note)
            await self._launcher.append(records.tree, task.key, PROGRESS, records.at, event, payload, create=True)

    async def _settle(self, tasks: Sequence[Due], done: Sequence[Due]) -> None:
        """Removes the rows of what was appended, gives the others back, and closes journals that are complete."""
        now = self._clock.now()
        appended = [records_of(task) for task in done]
        finished = {records.tree for records in appended if is_final(records)}

        async def work(tx: Tx) -> list[str]:
            for task in tasks:
                if task in done:
                    await tx.queue.done(task)
                else:
                    await tx.queue.release(task, now)
            return [tree for tree in finished if not await tx.executions.unfinished(tree)]

        for tree in await self._store.tx(work):
            await self._launcher.close_tree(tree)
        for tree in {records.tree for records in appended}:
            self._journal.poke(tree)
            self._bus.publish(CHANGED, tree)
