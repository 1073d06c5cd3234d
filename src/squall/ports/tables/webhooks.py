"""The tables of webhooks: settings of hooks, deliveries, and the ids by which duplicates are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from squall.core.event.webhooks.records import Delivery, HookSettings


class WebhookRows(Protocol):
    """The tables of webhooks."""

    async def settings(self) -> Sequence[HookSettings]:
        """Returns the settings of all hooks, ordered by URL."""
        ...

    async def put_settings(self, settings: HookSettings) -> None:
        """Stores the settings of a hook, instead of earlier ones."""
        ...

    async def delete_settings(self, url: str) -> None:
        """Removes the settings of a hook, and the ids of its deliveries."""
        ...

    async def claim(self, url: str, delivery_id: str, instance: str, at: int, since: int) -> str | None:
        """Stores that the sender's `delivery_id` came to the hook at `at` (µs), as this trigger instance. If it came
        after `since` already, returns the first instance's id, and stores nothing."""
        ...

    async def add(self, delivery: Delivery) -> None:
        """Adds a delivery."""
        ...

    async def trim(self, url: str, verdicts: Sequence[str], keep: int) -> int:
        """Removes the deliveries of a hook with these verdicts but the newest `keep`. Returns their number."""
        ...

    async def get(self, url: str, delivery_id: str) -> Delivery | None:
        """Returns a delivery of a hook by its own id."""
        ...

    async def find(self, url: str, verdict: str | None, limit: int | None, offset: int) -> Sequence[Delivery]:
        """Returns a page of a hook's deliveries of all verdicts or of one, the newest first, without headers and
        bodies."""
        ...

    async def count(self, url: str, verdict: str | None, cap: int) -> int:
        """Returns the number of a hook's deliveries of all verdicts or of one, at most `cap`."""
        ...

    async def expire(self, before: int, ids_before: int, limit: int) -> int:
        """Removes up to `limit` deliveries from before `before` (µs), and as many of the senders' ids from before
        `ids_before` (µs). Returns the number of both."""
        ...
