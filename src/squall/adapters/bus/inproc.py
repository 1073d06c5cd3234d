"""The bus of one process, and the deaf one, which loses every hint: what works on it does not depend on hints."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class _Subscription:
    """`ports.BusSubscription`: keys collect until they are asked for."""

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._arrived = asyncio.Event()

    def hear(self, key: str) -> None:
        self._keys.add(key)
        self._arrived.set()

    async def wait(self, timeout: float) -> set[str]:
        """The keys hinted at since the last call."""
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
    """`ports.Bus` within one event loop."""

    def __init__(self) -> None:
        self._subscriptions: dict[str, set[_Subscription]] = {}

    def publish(self, topic: str, key: str) -> None:
        """Hints at once; nobody listening is fine."""
        for subscription in self._subscriptions.get(topic, ()):
            subscription.hear(key)

    @contextmanager
    def subscribe(self, topic: str) -> Iterator[_Subscription]:
        """Hears `topic` from now on."""
        subscription = _Subscription()
        self._subscriptions.setdefault(topic, set()).add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions[topic].discard(subscription)


class DeafBus(InProcessBus):
    """Drops everything."""

    def publish(self, topic: str, key: str) -> None:
        """Drops it."""
