"""Checks stored output all the time, slowly: one tree that has ended after the other, round after round."""

from __future__ import annotations

import logging
from time import monotonic

from squall.core.errors import NotFoundError
from squall.ports import Clock, ScrubMark, Store, Tx
from squall.services.output.storage import Storage

_LOG = logging.getLogger("squall.scrubbing")
_PAGE = 20
_BETWEEN = 3_600_000_000


class Scrubbing:
    """Reads at most `megabytes` an hour (0: none) for about `seconds` in one call of `scrub`, and goes on there at the
    next call, also after a restart. Every tree that has ended is checked once in a round."""

    def __init__(self, store: Store, storage: Storage, clock: Clock, megabytes: float, *, seconds: float) -> None:
        self._store = store
        self._storage = storage
        self._clock = clock
        self._rate = megabytes * 1_000_000 / 3600
        self._seconds = seconds

    async def scrub(self) -> int:
        """Checks the next trees. Returns their number. Logs each one that is damaged. Raises `OSError`,
        `SquallError`."""
        count = 0
        until = monotonic() + self._seconds
        while self._rate and monotonic() < until:
            now = self._clock.now()

            async def next_trees(tx: Tx, now: int = now) -> tuple[ScrubMark, list[tuple[int, str]]]:
                mark = await tx.scrubs.mark()
                page = await tx.retention.finished((mark.start, mark.tree), now, _PAGE)
                return mark, [(tree.start, tree.id) for tree in page]

            mark, trees = await self._store.read(next_trees)
            if not trees:
                if mark.tree:
                    _LOG.info("all stored output was checked", extra={"round": mark.round})
                    await self._advance(ScrubMark(0, "", mark.round, mark.begun))
                return count
            if not mark.tree:
                # What is stored may take seconds to check. Then it is checked again after an hour.
                if mark.begun and now < mark.begun + _BETWEEN:
                    return count
                mark = ScrubMark(0, "", mark.round + 1, now)
            for start, tree in trees:
                await self._check(tree)
                count += 1
                mark = ScrubMark(start, tree, mark.round, mark.begun)
                await self._advance(mark)
                if monotonic() >= until:
                    break
        return count

    async def _advance(self, mark: ScrubMark) -> None:
        await self._store.tx(lambda tx: tx.scrubs.advance(mark))

    async def _check(self, tree: str) -> None:
        try:
            checked = await self._storage.check(tree, self._rate)
        except NotFoundError:
            # It was removed meanwhile.
            return
        if checked.faults:
            _LOG.error("stored output is damaged", extra={"execution": tree, "faults": "; ".join(checked.faults)})
