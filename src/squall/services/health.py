"""Checks whether the server works, and reports the lengths of its queues."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from squall.core.environment import back_off, is_of_environment
from squall.core.errors import SquallError
from squall.ports import Clock, Store, Tx
from squall.services.lanes import RUN

T = TypeVar("T")
_LOG = logging.getLogger("squall.health")
_FRESH = 250_000
_PATIENCE = 5.0


class Health:
    """The checks of the store and of the data directory. `check_writable` raises `OSError` if that cannot be written.

    `hindered` is set as soon as the machine has kept the server from beginning something.
    """

    def __init__(self, store: Store, clock: Clock, check_writable: Callable[[], None]) -> None:
        self._store = store
        self._clock = clock
        self._check_writable = check_writable
        self._checked = 0
        self._unwritable = ""
        self._pending: dict[str, str] = {}
        self.hindered = asyncio.Event()

    async def begun(self, what: str, work: Callable[[], Awaitable[T]]) -> T:
        """Does something that belongs to the server's start, again and again as long as the machine is in the way.
        `what` is a clause that says for people what could not be done. Raises other errors of `work`."""
        failures = 0
        while True:
            try:
                result = await work()
            except Exception as error:
                if not is_of_environment(error):
                    raise
                failures += 1
                if self._pending.get(what) != str(error):
                    _LOG.warning(f"{what}; trying again", extra={"error": str(error)})
                self._pending[what] = str(error)
                self.hindered.set()
                await asyncio.sleep(back_off(failures))
            else:
                if self._pending.pop(what, None) is not None:
                    _LOG.info("the server goes on", extra={"no_longer": what})
                return result

    async def complaint(self) -> str | None:
        """Returns the reason why the server cannot work; None if it works."""
        if unwritable := await self._look():
            return (
                f"The server cannot write to its data directory: {unwritable}. It serves what it has, and goes on by "
                "itself when it can write again."
            )
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._store.read(lambda tx: tx.queue.next_due(RUN))
                await self._store.tx(_nothing)
        except TimeoutError:
            return f"The database has not answered within {_PATIENCE:g} seconds."
        except SquallError as error:
            return f"The database does not answer: {error}"
        for what, error_text in self._pending.items():
            return f"The server has not begun all of its work: {what} ({error_text})."
        return None

    async def _look(self) -> str:
        """Returns why the data directory cannot be written; empty if it can. It is tried every 250 ms at most."""
        now = self._clock.now()
        if not 0 <= now - self._checked < _FRESH:
            self._checked = now
            try:
                await asyncio.to_thread(self._check_writable)
                self._unwritable = ""
            except (OSError, RuntimeError) as error:
                self._unwritable = getattr(error, "strerror", None) or str(error)
        return self._unwritable

    async def depths(self) -> tuple[Mapping[str, int], int]:
        """Returns the number of rows in each lane of the queue, and the row of the last event."""

        async def work(tx: Tx) -> tuple[Mapping[str, int], int]:
            return await tx.queue.depths(), (await tx.events.bounds())[1]

        return await self._store.read(work)


async def _nothing(_tx: Tx) -> None:
    """A transaction that only takes the lock for writing."""
