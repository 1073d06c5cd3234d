"""Which executions have ended for good, so that nothing comes after what their journals hold."""

from __future__ import annotations

import asyncio

from squall.core.execution import execution as ex
from squall.ports import Store, Tx
from squall.services.lanes import JOURNAL

_KEPT = 4096


class Ends:
    """Remembers which executions have ended for good. Use it on one event loop."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._settled: dict[str, bool] = {}
        self._asking: dict[str, asyncio.Future[bool]] = {}

    async def settled(self, execution_id: str) -> bool:
        """Whether an execution has ended and its last status record has been taken care of; asked once for all."""
        while not self._settled.get(execution_id):
            asking = self._asking.get(execution_id)
            if asking is None:
                return await self._ask(execution_id)
            await asyncio.wait([asking])
            # Who asked may have given up; then somebody else asks.
            if not asking.cancelled():
                return asking.result()
        return True

    async def _ask(self, execution_id: str) -> bool:
        asking = self._asking[execution_id] = asyncio.get_running_loop().create_future()
        try:
            found = await self._store.read(lambda tx: _settled(tx, execution_id))
            asking.set_result(found)
        finally:
            del self._asking[execution_id]
            asking.cancel()
        if found:
            if len(self._settled) >= _KEPT:
                self._settled.clear()
            self._settled[execution_id] = True
        return found


async def _settled(tx: Tx, execution_id: str) -> bool:
    execution = await tx.executions.get(execution_id, False)
    if execution is None or execution.status not in ex.FINAL:
        return execution is None
    return not await tx.queue.holds(JOURNAL, execution_id)
