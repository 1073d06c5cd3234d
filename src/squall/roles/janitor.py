"""The janitor: repeats chores, such as the removal of old data, in small pieces beside all other work."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from squall.core.environment import RETRIED

_LOG = logging.getLogger("squall.janitor")


class Chore(NamedTuple):
    """Work to repeat every `every` seconds; `name` is for the log."""

    name: str
    every: float
    work: Callable[[], Awaitable[object]]


class Janitor:
    """Runs its chores, each in its own task: a slow one delays no other."""

    def __init__(self, chores: Sequence[Chore]) -> None:
        self._chores = chores

    async def run(self) -> None:
        """Works until cancelled."""
        async with asyncio.TaskGroup() as group:
            for chore in self._chores:
                group.create_task(self._repeat(chore))

    @staticmethod
    async def _repeat(chore: Chore) -> None:
        while True:
            await asyncio.sleep(chore.every)
            try:
                await chore.work()
            except RETRIED as error:
                _LOG.warning("a chore failed; it runs again later", extra={"chore": chore.name, "error": str(error)})
