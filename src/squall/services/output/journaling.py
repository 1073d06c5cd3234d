"""Carries the lane `journal`: copies of status changes into the tree's journal, in the order they were made."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from squall.core.errors import SquallError
from squall.core.execution import execution as ex
from squall.core.output.journal import PROGRESS, STATUS, note_event
from squall.ports import Bus, Clock, Journal, Launcher, Store, Task, Tx
from squall.services.lanes import CHANGED, JOURNAL

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
        done: list[Task] = []
        failures: dict[str, OSError | SquallError] = {}
        try:
            for task in tasks:
                tree = task.payload[0]
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

    async def _append(self, task: Task) -> None:
        if task.payload[1] is None:
            await self._tell_progress(task)
            return
        tree, status, row, at, child = task.payload
        told = msgspec.json.encode({"status": status})
        # A lonely execution that printed nothing needs no journal; a family's is its story, also of silent ones.
        await self._launcher.append(tree, task.key, STATUS, at, row, told, create=child)

    async def _tell_progress(self, task: Task) -> None:
        """What a workflow did: one record for each note."""
        tree, _, at, notes = task.payload
        for number, note in enumerate(notes):
            event = note_event(task.id, number)
            await self._launcher.append(tree, task.key, PROGRESS, at, event, msgspec.json.encode(note), create=True)

    async def _settle(self, tasks: Sequence[Task], done: Sequence[Task]) -> None:
        """Removes the rows of what was appended, gives the others back, and closes journals that are complete."""
        now = self._clock.now()
        finished = {task.payload[0] for task in done if task.payload[1] in ex.FINAL}

        async def work(tx: Tx) -> list[str]:
            for task in tasks:
                if task in done:
                    await tx.queue.done(task)
                else:
                    await tx.queue.release(task, now)
            return [tree for tree in finished if not await tx.executions.unfinished(tree)]

        for tree in await self._store.tx(work):
            await self._launcher.close_tree(tree)
        for tree in {task.payload[0] for task in done}:
            self._journal.poke(tree)
            self._bus.publish(CHANGED, tree)
