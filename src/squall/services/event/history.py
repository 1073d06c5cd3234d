"""Removes old trigger instances, enforcements, and versions of rules, in small pieces. Executions stay."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from squall.core.event.rules.records import PROCESSED, InstanceFilter
from squall.ports import Clock, Store, Tx

_DAY = 86_400_000_000
_BATCH = 500
_PAUSE = 0.01


class History:
    """Removes what is older than its days; 0 days keep it for ever."""

    def __init__(self, store: Store, clock: Clock, *, instance_days: int, enforcement_days: int) -> None:
        self._store = store
        self._clock = clock
        self._instance_days = instance_days
        self._enforcement_days = enforcement_days

    async def sweep(self) -> int:
        """Removes evaluated trigger instances, enforcements, and versions of rules that no stored instance can need.
        Returns their number."""
        now = self._clock.now()
        count = 0
        if self._instance_days:
            before = now - self._instance_days * _DAY
            count += await self._remove(lambda tx: tx.instances.expire(before, _BATCH))
            # An explanation needs the rules as they were when the instance was evaluated.
            where = InstanceFilter(status=PROCESSED, number_after=0, newest_first=False, whole=False)
            oldest = await self._store.read(lambda tx: tx.instances.find(where, 1, 0))
            limit = min([before, *(instance.evaluated_at for instance in oldest)])
            count += await self._remove(lambda tx: tx.rules.forget(limit, _BATCH))
        if self._enforcement_days:
            before_enforcement = now - self._enforcement_days * _DAY
            count += await self._remove(lambda tx: tx.enforcements.expire(before_enforcement, _BATCH))
        return count

    async def _remove(self, remove: Callable[[Tx], Awaitable[int]]) -> int:
        """Calls `remove` in one transaction after the other until it removes less than a whole batch."""
        count = 0
        while True:
            removed = await self._store.tx(remove)
            count += removed
            if removed < _BATCH:
                return count
            await asyncio.sleep(_PAUSE)
