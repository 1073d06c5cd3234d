"""Removing finished executions: by their age and the rules, by the space their output takes, or because somebody asks.

A batch is one transaction that removes the rows of some whole trees and queues what must follow: their journals. A kill
in between leaves that row, and the next server goes on from there.
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

_LOG = logging.getLogger("squall.storage")
_PAGE = 500
_BATCH = 100
_LEASE = 600_000_000
_AGAIN = 60_000_000
_PAUSE = 0.05
_HOUR = 3_600_000_000
_BEGIN = (0, "")


class Purged(msgspec.Struct, frozen=True):
    """What was (or, in a dry run, would be) removed: executions, trees of them, bytes of stored output. `cursor` is
    where to go on; None at the end."""

    executions: int
    trees: int
    bytes: int
    cursor: tuple[int, str] | None


class Retention:
    """Removes what `terms` say, and what is asked for. `moment` is told where a kill would be worst."""

    def __init__(
        self,
        store: Store,
        archive: Archive,
        launcher: Launcher,
        journal: Journal,
        clock: Clock,
        terms: Terms,
        owner: str,
        moment: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._store = store
        self._archive = archive
        self._launcher = launcher
        self._journal = journal
        self._clock = clock
        self._terms = terms
        self._owner = owner
        self._moment = moment

    async def sweep(self) -> int:
        """Removes everything that is due by age, rules and space; gives how many executions that were."""
        count = 0
        if shortest := self._terms.shortest:
            now = self._clock.now()
            cursor: tuple[int, str] | None = _BEGIN
            before = now - int(shortest * 86_400_000_000)
            while cursor is not None:
                page, cursor = await self._page(cursor, before)
                count += await self._remove([found.id for found in expired(self._terms, page, now)])
        count += await self._make_room()
        if count:
            await self.tidy()
        return count

    async def _page(
        self, cursor: tuple[int, str], before: int, limit: int = _PAGE
    ) -> tuple[Sequence[Finished], tuple[int, str] | None]:
        found = await self._store.read(lambda tx: tx.retention.finished(cursor, before, limit))
        return found, (found[-1].start, found[-1].id) if len(found) == limit else None

    async def _make_room(self) -> int:
        """Removes the oldest trees until the others' output fits."""
        totals = await self._store.read(lambda tx: tx.journals.totals())
        excess = sum(stored for _, _, stored in totals.values()) - self._terms.max_bytes
        count = 0
        cursor: tuple[int, str] | None = _BEGIN
        while excess > 0 and cursor is not None:
            page, cursor = await self._page(cursor, self._clock.now())
            chosen = []
            for found in page:
                if excess <= 0:
                    break
                if found.stored:
                    excess -= found.stored
                    chosen.append(found.id)
            count += await self._remove(chosen)
        return count

    async def purge(self, wanted: Selection, cursor: tuple[int, str] | None, limit: int, dry_run: bool) -> Purged:
        """Looks at the next `limit` finished trees behind `cursor` (None: from the oldest) and removes those that are
        wanted."""
        page, following = await self._page(cursor or _BEGIN, wanted.before, limit)
        chosen = [found for found in page if wanted.fits(found)]
        trees = [found.id for found in chosen]
        if dry_run:
            executions = await self._store.read(lambda tx: tx.retention.count(trees)) if trees else 0
        else:
            executions = await self._remove(trees)
            if following is None:
                await self.tidy()
        return Purged(executions, len(trees), sum(found.stored for found in chosen), following)

    async def _remove(self, trees: Sequence[str]) -> int:
        """Removes whole trees, in batches with pauses in which others have the database."""
        count = 0
        for at in range(0, len(trees), _BATCH):
            began = monotonic()
            some = list(trees[at : at + _BATCH])
            count += await self._remove_batch(some)
            await asyncio.sleep(min(monotonic() - began, _PAUSE))
        return count

    async def _remove_batch(self, trees: list[str]) -> int:
        now = self._clock.now()

        async def work(tx: Tx) -> int:
            # One that has got a late record to copy since it was chosen is left for the next time.
            ended = list(await tx.journals.complete(trees))
            if not ended:
                return 0
            count = await tx.retention.purge(ended)
            await tx.queue.put(PURGE, ended[0], JournalRemoval(ended), now)
            return count

        count = await self._store.tx(work)
        self._moment("rows removed")
        await self.carry()
        return count

    async def carry(self) -> int:
        """Removes the journals that are queued for it; gives how many rows that were."""
        now = self._clock.now()
        tasks = await self._store.tx(lambda tx: tx.queue.claim(PURGE, self._owner, now, _LEASE, 16))
        for task in tasks:
            await self._carry_one(task)
        return len(tasks)

    async def _carry_one(self, task: Due) -> None:
        trees = removal_of(task).trees
        try:
            for tree in set(self._archive.held()).intersection(trees):
                await self._launcher.close_tree(tree)
            left = sorted(set(trees) - set(await self._archive.remove(trees)))
        except (OSError, SquallError) as error:
            _LOG.warning("output could not be removed yet", extra={"error": str(error)})
            left = trees
        self._moment("journals removed")
        if left:
            await self._store.tx(lambda tx: tx.queue.release(task, self._clock.now() + _AGAIN))
        else:
            await self._store.tx(lambda tx: tx.queue.done(task))
        for tree in trees:
            # Who follows it learns that it is gone.
            self._journal.poke(tree)

    async def tidy(self) -> int:
        """Removes snapshots of actions that no execution needs any more; gives how many."""
        since = self._clock.now() - _HOUR
        used = await self._store.read(lambda tx: tx.retention.used_snapshots())
        return await self._store.tx(lambda tx: tx.retention.drop_snapshots(used, since))
