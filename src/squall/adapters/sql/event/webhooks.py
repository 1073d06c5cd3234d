"""The tables of webhooks: settings of hooks, deliveries, and the ids by which duplicates are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from squall.adapters.sql.dialect.session import Session, marks
from squall.core.event.webhooks.records import Delivery, HookSettings

_LISTED = "id, url, at_us, verdict, reason, delivery, instance, username, remote, size, replay_of"
_HEADERS = msgspec.json.Decoder(tuple[tuple[str, str], ...])


class SqlWebhooks:
    """`ports.WebhookRows` in SQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def settings(self) -> Sequence[HookSettings]:
        """Returns the settings of all hooks, by URL."""
        rows = await self._session.run("SELECT body FROM webhook_settings ORDER BY url")
        return [msgspec.json.decode(row[0], type=HookSettings) for row in rows]

    async def put_settings(self, settings: HookSettings) -> None:
        """Stores the settings of a hook."""
        await self._session.run(
            "INSERT INTO webhook_settings (url, body) VALUES (?, ?) "
            "ON CONFLICT (url) DO UPDATE SET body = excluded.body",
            settings.url,
            msgspec.json.encode(settings).decode(),
        )

    async def delete_settings(self, url: str) -> None:
        """Deletes the settings of a hook, and the ids of its deliveries."""
        await self._session.run("DELETE FROM webhook_settings WHERE url = ?", url)
        await self._session.run("DELETE FROM webhook_ids WHERE url = ?", url)

    async def claim(self, url: str, delivery_id: str, instance: str, at: int, since: int) -> str | None:
        """Stores an id, or returns the instance with which it came after `since`."""
        rows = await self._session.run(
            "SELECT instance, at_us FROM webhook_ids WHERE url = ? AND delivery = ?", url, delivery_id
        )
        if rows and int(rows[0][1]) > since:
            return str(rows[0][0])
        await self._session.run(
            "INSERT INTO webhook_ids (url, delivery, instance, at_us) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (url, delivery) DO UPDATE SET instance = excluded.instance, at_us = excluded.at_us",
            url,
            delivery_id,
            instance,
            at,
        )
        return None

    async def add(self, delivery: Delivery) -> None:
        """Adds a delivery."""
        await self._session.run(
            "INSERT INTO webhook_deliveries (id, url, at_us, verdict, reason, delivery, instance, username, remote, "
            f"size, replay_of, headers, body) VALUES ({marks(13)})",
            delivery.id,
            delivery.url,
            delivery.at,
            delivery.verdict,
            delivery.reason,
            delivery.delivery_id,
            delivery.instance,
            delivery.user,
            delivery.remote,
            delivery.size,
            delivery.replay_of,
            msgspec.json.encode(delivery.headers).decode(),
            delivery.body,
        )

    async def trim(self, url: str, verdicts: Sequence[str], keep: int) -> int:
        """Deletes the deliveries with these verdicts but the newest `keep`. Returns their number."""
        rows = await self._session.run(
            "DELETE FROM webhook_deliveries WHERE number IN (SELECT number FROM webhook_deliveries WHERE url = ? "
            f"AND verdict IN ({marks(len(verdicts))}) ORDER BY number DESC LIMIT 1000 OFFSET {int(keep)}) "
            "RETURNING number",
            url,
            *verdicts,
        )
        return len(rows)

    async def get(self, url: str, delivery_id: str) -> Delivery | None:
        """Returns one delivery; None if there is none."""
        rows = await self._session.run(
            f"SELECT {_LISTED}, headers, body FROM webhook_deliveries WHERE url = ? AND id = ?", url, delivery_id
        )
        return _delivery(rows[0]) if rows else None

    async def find(self, url: str, verdict: str | None, limit: int | None, offset: int) -> Sequence[Delivery]:
        """Returns a page of deliveries, the newest first, without headers and bodies."""
        clause, values = _where(url, verdict)
        most = 2**62 if limit is None else int(limit)
        rows = await self._session.run(
            f"SELECT {_LISTED} FROM webhook_deliveries{clause} ORDER BY number DESC LIMIT {most} OFFSET {int(offset)}",
            *values,
        )
        return [_delivery(row) for row in rows]

    async def count(self, url: str, verdict: str | None, cap: int) -> int:
        """Returns the number of deliveries, at most `cap`."""
        clause, values = _where(url, verdict)
        rows = await self._session.run(
            f"SELECT count(*) FROM (SELECT 1 FROM webhook_deliveries{clause} LIMIT {int(cap)}) AS matching", *values
        )
        return int(rows[0][0])

    async def expire(self, before: int, ids_before: int, limit: int) -> int:
        """Deletes old deliveries and old ids, up to `limit` of each. Returns their number."""
        deliveries = await self._session.run(
            "DELETE FROM webhook_deliveries WHERE number IN (SELECT number FROM webhook_deliveries WHERE at_us < ? "
            f"ORDER BY at_us LIMIT {int(limit)}) RETURNING number",
            before,
        )
        ids = await self._session.run(
            "DELETE FROM webhook_ids WHERE (url, delivery) IN (SELECT url, delivery FROM webhook_ids WHERE at_us < ? "
            f"ORDER BY at_us LIMIT {int(limit)}) RETURNING at_us",
            ids_before,
        )
        return len(deliveries) + len(ids)


def _where(url: str, verdict: str | None) -> tuple[str, list[Any]]:
    return (" WHERE url = ? AND verdict = ?", [url, verdict]) if verdict is not None else (" WHERE url = ?", [url])


def _delivery(row: tuple[Any, ...]) -> Delivery:
    return Delivery(
        id=row[0],
        url=row[1],
        at=int(row[2]),
        verdict=row[3],
        reason=row[4],
        delivery_id=row[5],
        instance=row[6],
        user=row[7],
        remote=row[8],
        size=int(row[9]),
        replay_of=row[10],
        headers=_HEADERS.decode(row[11]) if len(row) > 11 else (),
        body=bytes(row[12]) if len(row) > 12 else b"",
    )
