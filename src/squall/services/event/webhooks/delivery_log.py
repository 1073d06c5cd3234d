"""Keeps the log of deliveries: what came to each hook, and what became of it."""

from __future__ import annotations

from collections import Counter

import msgspec

from squall.core.errors import NotFoundError
from squall.core.event.webhooks.headers import Headers
from squall.core.event.webhooks.records import (
    ACCEPTED,
    VERDICTS,
    Delivery,
    delivery_change,
    delivery_document,
)
from squall.core.execution.execution import Execution
from squall.ports import Clock, Store, Tx
from squall.services.event.webhooks.outcomes import executions_of

WHOLE_BODY = 64 << 10
"""The most bytes of an accepted body that the log keeps whole."""

IDS_KEPT = 86_400_000_000
"""How long (µs) a sender's id of a delivery is known."""

MOST_REFUSED = 30
"""The most deliveries that are no new event and are logged for one hook in a minute: strangers send them, too."""

KEPT_REFUSED = 1_000
"""The most such deliveries of one hook in the log."""

_BEGINNING = 4 << 10
_REFUSED_HEADERS = 8 << 10
_MINUTE = 60_000_000
_DAY = 86_400_000_000
_BATCH = 1_000
_COUNT_CAP = 10_000
_OTHERS = tuple(verdict for verdict in VERDICTS if verdict != ACCEPTED)


class DeliveryLog:
    """The use cases of the log. Deliveries stay for `days`; 0 keeps them for ever."""

    def __init__(self, store: Store, clock: Clock, *, days: int) -> None:
        self._store = store
        self._clock = clock
        self._days = days
        self._minute = 0
        self._refused: Counter[str] = Counter()

    async def write(self, tx: Tx, delivery: Delivery) -> None:
        """Adds an accepted delivery in the transaction `tx`."""
        await tx.webhooks.add(delivery)
        await tx.events.add(delivery_change(delivery), msgspec.json.encode(delivery_document(delivery)))

    async def note(self, delivery: Delivery) -> None:
        """Adds a delivery that is no new event, unless the hook got too many of them in this minute."""
        minute = self._clock.now() // _MINUTE
        if minute != self._minute:
            self._minute = minute
            self._refused.clear()
        self._refused[delivery.url] += 1
        if self._refused[delivery.url] > MOST_REFUSED:
            return
        headers = _within(delivery.headers, _REFUSED_HEADERS)
        small = msgspec.structs.replace(delivery, headers=headers, body=delivery.body[:_BEGINNING])

        async def work(tx: Tx) -> None:
            await self.write(tx, small)
            await tx.webhooks.trim(delivery.url, _OTHERS, KEPT_REFUSED)

        await self._store.tx(work)

    async def get(self, url: str, delivery_id: str) -> Delivery:
        """Returns one delivery of a hook. Raises `NotFoundError`."""
        delivery = await self._store.read(lambda tx: tx.webhooks.get(url, delivery_id))
        if delivery is None:
            raise NotFoundError(f'The webhook "{url:.200}" has no delivery "{delivery_id:.60}" in its log.')
        return delivery

    async def executions(self, delivery: Delivery) -> list[Execution]:
        """Returns the executions that rules started for a delivery."""
        instance = delivery.instance
        if instance is None:
            return []

        async def work(tx: Tx) -> list[Execution]:
            return (await executions_of(tx, instance))[1]

        return await self._store.read(work)

    async def find(self, url: str, verdict: str | None, limit: int | None, offset: int) -> tuple[list[Delivery], int]:
        """Returns a page of a hook's deliveries, the newest first, without headers and bodies, and the number of all
        (at most 10,000)."""

        async def work(tx: Tx) -> tuple[list[Delivery], int]:
            page = list(await tx.webhooks.find(url, verdict, limit, offset))
            return page, await tx.webhooks.count(url, verdict, _COUNT_CAP)

        return await self._store.read(work)

    async def expire(self) -> int:
        """Removes old deliveries, and ids that are no longer known. Returns the number of both."""
        now = self._clock.now()
        before = now - self._days * _DAY if self._days else 0
        count = 0
        while removed := await self._store.tx(lambda tx: tx.webhooks.expire(before, now - IDS_KEPT, _BATCH)):
            count += removed
        return count


def kept_body(raw: bytes) -> bytes:
    """Returns the part of an accepted body that the log keeps: all of it, or the beginning of a large one."""
    return raw if len(raw) <= WHOLE_BODY else raw[:_BEGINNING]


def _within(headers: Headers, most: int) -> tuple[tuple[str, str], ...]:
    """Returns the first headers that have at most `most` characters together."""
    kept = []
    for name, value in headers:
        most -= len(name) + len(value)
        if most < 0:
            break
        kept.append((name, value))
    return tuple(kept)
