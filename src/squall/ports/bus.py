"""The bus: hints that something is worth a look."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class BusSubscription(Protocol):
    """What arrived since it was last asked."""

    async def wait(self, timeout: float) -> set[str]:
        """The keys hinted at since the last call, waiting up to `timeout` seconds for one; empty on a time-out."""
        ...


class Bus(Protocol):
    """Hints, never facts: every message may be lost, doubled or late."""

    def publish(self, topic: str, key: str) -> None:
        """Hints that something about `key` is worth a look."""
        ...

    def subscribe(self, topic: str) -> AbstractContextManager[BusSubscription]:
        """Hears what is published on `topic` from now on."""
        ...
