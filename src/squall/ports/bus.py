"""The bus: hints that wake loops."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class BusSubscription(Protocol):
    """A subscription to the hints of one topic."""

    async def wait(self, timeout: float) -> set[str]:
        """Returns the keys published since the last call. Waits up to `timeout` seconds for one; empty on time-out."""
        ...


class Bus(Protocol):
    """A bus for hints, never facts: every message may be lost, doubled or late."""

    def publish(self, topic: str, key: str) -> None:
        """Publishes a hint that `key` may have changed."""
        ...

    def subscribe(self, topic: str) -> AbstractContextManager[BusSubscription]:
        """Subscribes to the keys published on `topic` from now on."""
        ...
