"""The slots of a worker: what runs in them, and which of them are reserved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from squall.ports import Due
from squall.services.execution.reservations import Claimed, Claimer, Reservation


class Slots:
    """At most `most` executions at once: those that run, and those for which a transaction has reserved a slot.

    `start` is called with each execution that the transaction of a reservation has claimed, `give_back` with the
    reservation of a transaction that may have been committed.
    """

    def __init__(
        self,
        claimer: Claimer,
        most: int,
        start: Callable[[Claimed], None],
        give_back: Callable[[Reservation], None],
    ) -> None:
        self.claimer = claimer
        self._most = most
        self._start = start
        self._give_back = give_back
        self._tasks: dict[str, Due] = {}
        self._reserved = 0
        self._held = 0
        self._open = False
        self._backlog = True
        self._changed = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def tasks(self) -> dict[str, Due]:
        """The queue rows of the executions that run, by execution."""
        return self._tasks

    @property
    def room(self) -> int:
        """The number of free slots."""
        return max(0, self._most - len(self._tasks) - self._reserved - self._held)

    def open(self) -> None:
        """Lets transactions reserve slots, as soon as it is known that no queued execution waits for them."""
        self._open = True

    def close(self) -> None:
        """Ends that. Transactions that have reserved slots keep them."""
        self._open = False
        self._changed.set()

    def hold(self) -> int:
        """Holds slots for a claim of queued executions. Returns their number: half of the free ones, so that
        transactions can reserve the others meanwhile."""
        self._held = (self.room + 1) // 2
        return self._held

    def release(self, claimed: int | None) -> None:
        """Ends `hold` after a claim that gave `claimed` rows (None: it failed). If it gave as many as it could, more
        may wait: until a claim gives less, no transaction reserves slots, so that no new execution overtakes one that
        waits."""
        if claimed is not None:
            self._backlog = claimed >= self._held
        self._held = 0

    def take(self, claimed: Claimed) -> None:
        """Puts an execution into a slot."""
        self._tasks[claimed.execution.id] = claimed.task
        self._idle.clear()

    def leave(self, execution_id: str) -> None:
        """Frees the slot of an execution that has ended."""
        self._tasks.pop(execution_id, None)
        self._settled()

    async def wait_for_room(self) -> None:
        """Returns when a slot is free, or when the slots are closed. Executions that wait meanwhile are a backlog."""
        while self._open and self.room <= 0:
            self._backlog = True
            self._changed.clear()
            await self._changed.wait()

    async def wait_until_empty(self) -> None:
        """Returns when nothing runs and nothing is reserved."""
        await self._idle.wait()

    async def wait_for_reservations(self) -> None:
        """Returns when nothing is reserved. Call it after `close`: then all executions that come are here."""
        while self._reserved:
            self._changed.clear()
            await self._changed.wait()

    # -- `ReservableSlots`

    def reserve(self, most: int) -> Reservation:
        """Reserves up to `most` slots."""
        count = min(most, self.room) if self._open and not self._backlog else 0
        self._reserved += count
        if count:
            self._idle.clear()
        return Reservation(self.claimer, count)

    def settle(self, reservation: Reservation, committed: bool | None) -> None:
        """Starts what a committed transaction has claimed, and frees the other reserved slots. Gives claims back that
        may have been committed. That of a cancelled task may come only now, so no claims may be known yet."""
        self._reserved -= reservation.count
        for claimed in reservation.claimed if committed else ():
            self.take(claimed)
            self._start(claimed)
        if committed is None and reservation.count and self._open:
            self._give_back(reservation)
        self._settled()

    def _settled(self) -> None:
        self._changed.set()
        if not self._tasks and not self._reserved:
            self._idle.set()
