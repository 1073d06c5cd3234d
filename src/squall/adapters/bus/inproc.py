"""The bus of one process, and a bus that drops every hint: code that works with the latter does not depend on hints."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class _Subscription:
    """`ports.BusSubscription`: collects keys until the next `wait`."""

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._arrived = asyncio.Event()

    def hear(self, key: str) -> None:
        self._keys.add(key)
        self._arrived.set()

    async def wait(self, timeout: float) -> set[str]:
        """Waits up to `timeout` seconds for a hint. Returns the keys of all hints since the last call."""
        if not self._keys:
            try:
                async with asyncio.timeout(timeout):
                    await self._arrived.wait()
            except TimeoutError:
                pass
        keys, self._keys = self._keys, set()
        self._arrived.clear()
        return keys


class InProcessBus:
    """`ports.Bus` for one event loop."""

    def __init__(self) -> None:
        self._subscriptions: dict[str, set[_Subscription]] = {}

    def publish(self, topic: str, key: str) -> None:
        """Delivers the hint at once to all subscriptions of the topic."""
        for subscription in self._subscriptions.get(topic, ()):
            subscription.hear(key)

    @contextmanager
    def subscribe(self, topic: str) -> Iterator[_Subscription]:
        """Yields a subscription of `topic`, which ends with the block."""
        subscription = _Subscription()
        self._subscriptions.setdefault(topic, set()).add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions[topic].discard(subscription)


class DeafBus(InProcessBus):
    """`ports.Bus` that drops every hint."""

    def publish(self, topic: str, key: str) -> None:
        """Drops the hint."""
