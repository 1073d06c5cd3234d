"""The janitor: keeps what is bounded within its bounds."""

from __future__ import annotations

import asyncio
import contextlib

from squall.core.errors import SquallError
from squall.ports import Store

_EVERY = 30.0


class Janitor:
    """Prunes the event table down to `events` rows."""

    def __init__(self, store: Store, events: int) -> None:
        self._store = store
        self._events = events

    async def run(self) -> None:
        """Works until cancelled."""
        while True:
            await asyncio.sleep(_EVERY)
            with contextlib.suppress(SquallError):
                await self._store.tx(lambda tx: tx.events.prune(self._events))
