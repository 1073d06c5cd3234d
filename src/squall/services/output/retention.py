"""Removes finished executions: by age and rules, by the space of their output, or by a purge request.

Each batch is one transaction that deletes the rows of some whole trees and queues the removal of their journals. If
the server is killed in between, the queue row remains and the next server continues from it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from time import monotonic

import msgspec

from squall.core.errors import SquallError
from squall.core.execution.retention import Finished, Selection, Terms, expired
from squall.ports import Archive, Clock, Due, Journal, Launcher, Store, Tx
from squall.services.lanes import PURGE, JournalRemoval, removal_of
from squall.services.suspects import Suspects

_LOG = logging.getLogger("squall.storage")
_PAGE = 500
_BATCH = 100
_LEASE = 600_000_000
_AGAIN = 60_000_000
_PAUSE = 0.05
_HOUR = 3_600_000_000
_BEGIN = (0, "")


class Purged(msgspec.Struct, frozen=True):
    """The counts of one purge step: executions, trees, bytes of stored output. A dry run counts without removing.

    `cursor` is the start of the next step; None at the end.
    """

    executions: int
    trees: int
    bytes: int
    cursor: tuple[int, str] | None


class Retention:
    """Deletes executions that the retention `terms` or a purge request select.

    Calls `moment(name)` at the points where fault tests kill the process.
    """

    def __init__(
        self,
        store: Store,
        archive: Archive,
        launcher: Launcher,
        journal: Journal,
        clock: Clock,
        terms: Terms,
        suspects: Suspects,
        moment: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._store = store
        self._archive = archive
        self._launcher = launcher
        self._journal = journal
        self._clock = clock
        self._terms = terms
        self._suspects = suspects
        self._moment = moment

    async def sweep(self) -> int:
        """Removes all executions that are due by age, rules and space. Returns their number."""
        count = 0
        if shortest := self._terms.shortest:
            now = self._clock.now()
            cursor: tuple[int, str] | None = _BEGIN
            before = now - int(shortest * 86_400_000_000)
            while cursor is not None:
                page, cursor = await self._page(cursor, before)
                count += await self._remove([tree.id for tree in expired(self._terms, page, now)])
        count += await self._make_room()
        if count:
            await self.tidy()
        return count

    async def _page(
        self, cursor: tuple[int, str], before: int, limit: int = _PAGE
    ) -> tuple[Sequence[Finished], tuple[int, str] | None]:
        page = await self._store.read(lambda tx: tx.retention.finished(cursor, before, limit))
        return page, (page[-1].start, page[-1].id) if len(page) == limit else None

    async def _make_room(self) -> int:
        """Removes the oldest trees until the output of the remaining trees fits. Returns the number of executions."""
        totals = await self._store.read(lambda tx: tx.journals.totals())
        excess = sum(stored for _, _, stored in totals.values()) - self._terms.max_bytes
        count = 0
        cursor: tuple[int, str] | None = _BEGIN
        while excess > 0 and cursor is not None:
            page, cursor = await self._page(cursor, self._clock.now())
            chosen = []
            for tree in page:
                if excess <= 0:
                    break
                if tree.stored:
                    excess -= tree.stored
                    chosen.append(tree.id)
            count += await self._remove(chosen)
        return count

    async def purge(self, selection: Selection, cursor: tuple[int, str] | None, limit: int, dry_run: bool) -> Purged:
        """Removes the selected trees among the next `limit` finished trees after `cursor` (None: from the oldest)."""
        page, following = await self._page(cursor or _BEGIN, selection.before, limit)
        chosen = [tree for tree in page if selection.fits(tree)]
        trees = [tree.id for tree in chosen]
        if dry_run:
            executions = await self._store.read(lambda tx: tx.retention.count(trees)) if trees else 0
        else:
            executions = await self._remove(trees)
            if following is None:
                await self.tidy()
        return Purged(executions, len(trees), sum(tree.stored for tree in chosen), following)

    async def _remove(self, trees: Sequence[str]) -> int:
        """Removes whole trees in batches, with pauses for other writers. Returns the number of removed executions."""
        count = 0
        for at in range(0, len(trees), _BATCH):
            began = monotonic()
            batch = list(trees[at : at + _BATCH])
            count += await self._remove_batch(batch)
            await asyncio.sleep(min(monotonic() - began, _PAUSE))
        return count

    async def _remove_batch(self, trees: list[str]) -> int:
        now = self._clock.now()

        async def work(tx: Tx) -> int:
            # A tree may have got a late journal record since it was chosen. The next sweep removes it.
            complete = list(await tx.journals.complete(trees))
            if not complete:
                return 0
            count = await tx.retention.purge(complete)
            await tx.queue.put(PURGE, complete[0], JournalRemoval(complete), now)
            return count

        count = await self._store.tx(work)
        self._moment("rows removed")
        await self.carry()
        return count

    async def carry(self) -> int:
        """Removes the journals that the lane `purge` lists. Returns the number of claimed rows."""
        now = self._clock.now()
        tasks = await self._store.tx(lambda tx: self._suspects.claim(tx, PURGE, now, _LEASE, 16))
        for task in tasks:
            await self._suspects.watched(PURGE, task.key, self._carry_one(task))
        return len(tasks)

    async def _carry_one(self, task: Due) -> None:
        trees = removal_of(task).trees
        try:
            for tree in set(self._archive.held()).intersection(trees):
                await self._launcher.close_tree(tree)
            remaining = sorted(set(trees) - set(await self._archive.remove(trees)))
        except (OSError, SquallError) as error:
            _LOG.warning("journals could not be removed; the server tries again later", extra={"error": str(error)})
            remaining = trees
        self._moment("journals removed")
        if remaining:
            await self._store.tx(lambda tx: tx.queue.release(task, self._clock.now() + _AGAIN))
        else:
            await self._store.tx(lambda tx: tx.queue.done(task))
        for tree in trees:
            # Streams that follow the tree end now.
            self._journal.poke(tree)

    async def tidy(self) -> int:
        """Removes snapshots of actions that no execution uses. Returns their number."""
        since = self._clock.now() - _HOUR
        used = await self._store.read(lambda tx: tx.retention.used_snapshots())
        return await self._store.tx(lambda tx: tx.retention.drop_snapshots(used, since))
