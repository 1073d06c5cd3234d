"""Checks whether the server works, and reports the lengths of its queues."""

from __future__ import annotations

from collections.abc import Mapping

from squall.core.errors import SquallError
from squall.ports import Store, Tx
from squall.services.lanes import RUN


class Health:
    """The checks of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def complaint(self) -> str | None:
        """Returns the reason why the server cannot work; None if it works."""
        try:
            await self._store.read(lambda tx: tx.queue.next_due(RUN))
        except SquallError as error:
            return f"The database does not answer: {error}"
        return None

    async def depths(self) -> tuple[Mapping[str, int], int]:
        """Returns the number of rows in each lane of the queue, and the row of the last event."""

        async def work(tx: Tx) -> tuple[Mapping[str, int], int]:
            return await tx.queue.depths(), (await tx.events.bounds())[1]

        return await self._store.read(work)
