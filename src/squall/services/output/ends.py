"""Checks whether executions are settled: they have a final status, and their journals are complete."""

from __future__ import annotations

import asyncio

from squall.core.execution import execution as ex
from squall.ports import Store, Tx
from squall.services.lanes import JOURNAL

_CAPACITY = 4096


class Ends:
    """A cache of the executions that are settled. Use it on one event loop."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._settled: dict[str, bool] = {}
        self._queries: dict[str, asyncio.Future[bool]] = {}

    async def settled(self, execution_id: str) -> bool:
        """Checks whether an execution has ended and the queue holds no more records for its journal.

        Concurrent callers share one database query.
        """
        while not self._settled.get(execution_id):
            query = self._queries.get(execution_id)
            if query is None:
                return await self._query(execution_id)
            await asyncio.wait([query])
            # The caller that ran the query may have been cancelled. Then another caller queries.
            if not query.cancelled():
                return query.result()
        return True

    async def _query(self, execution_id: str) -> bool:
        query = self._queries[execution_id] = asyncio.get_running_loop().create_future()
        try:
            is_settled = await self._store.read(lambda tx: _settled(tx, execution_id))
            query.set_result(is_settled)
        finally:
            del self._queries[execution_id]
            query.cancel()
        if is_settled:
            if len(self._settled) >= _CAPACITY:
                self._settled.clear()
            self._settled[execution_id] = True
        return is_settled


async def _settled(tx: Tx, execution_id: str) -> bool:
    execution = await tx.executions.get(execution_id, False)
    if execution is None or execution.status not in ex.FINAL:
        return execution is None
    return not await tx.queue.holds(JOURNAL, execution_id)
