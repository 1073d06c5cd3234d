"""A loop that handles the rows of one lane: it wakes on a hint or when a row is due, and polls in case a hint is
lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from squall.core.environment import RETRIED
from squall.ports import Bus

_LOG = logging.getLogger("squall.carrier")
_BACK_OFF = 0.5


class Carrier:
    """Calls `carry`, which claims rows of `lane` and returns their number, and may leave tasks in the group that it
    gets. Calls it again at once if it returns at least `most`.

    `poll` is the longest wait in seconds. `until_due` returns the seconds until the next row is due; without it, rows
    need a hint or a poll. It is asked only if no hint comes within `soon` seconds: under load the next hint comes
    before the database has answered.
    """

    def __init__(
        self,
        lane: str,
        carry: Callable[[asyncio.TaskGroup], Awaitable[int]],
        most: int,
        bus: Bus,
        *,
        poll: float,
        until_due: Callable[[], Awaitable[float]] | None = None,
        soon: float = 0,
    ) -> None:
        self._lane = lane
        self._carry = carry
        self._most = most
        self._bus = bus
        self._poll = poll
        self._until_due = until_due
        self._soon = min(soon, poll)

    async def run(self) -> None:
        """Works until cancelled."""
        async with asyncio.TaskGroup() as group:
            await self._take(group)

    async def _take(self, group: asyncio.TaskGroup) -> None:
        with self._bus.subscribe(self._lane) as hints:
            while True:
                try:
                    if await self._carry(group) < self._most and not (self._soon and await hints.wait(self._soon)):
                        await hints.wait(await self._until_due() if self._until_due is not None else self._poll)
                except RETRIED as error:
                    _LOG.warning("rows wait; trying again", extra={"lane": self._lane, "error": str(error)})
                    await asyncio.sleep(_BACK_OFF)
