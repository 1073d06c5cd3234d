"""The queue of later work: one row for each task, in lanes, with leases and fencing tokens.

The `available_us` of a leased row lies in the future: a claim moves it to the end of the lease. So a single index finds
the due rows, and the lease of a dead holder ends by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from squall.adapters.sql.dialect.session import Session
from squall.ports import Due


class SqlQueue:
    """`ports.QueueRows` in SQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def put(self, lane: str, key: str, payload: Any, available: int) -> None:
        """Adds a row that may be claimed from `available` (µs) on."""
        await self._session.run(
            "INSERT INTO queue (lane, key, payload, available_us, token, attempts) VALUES (?, ?, ?, ?, 0, 0)",
            lane,
            key,
            msgspec.json.encode(payload).decode(),
            available,
        )

    async def put_claimed(self, lane: str, key: str, payload: Any, owner: str, now: int, lease: int) -> Due:
        """Adds a row that `owner` has claimed for `lease` µs."""
        rows = await self._session.run(
            "INSERT INTO queue (lane, key, payload, available_us, owner, token, attempts) VALUES (?, ?, ?, ?, ?, 1, 1) "
            "RETURNING id",
            lane,
            key,
            msgspec.json.encode(payload).decode(),
            now + lease,
            owner,
        )
        return Due(rows[0][0], lane, key, payload, 1, 1)

    async def claim(self, lane: str, owner: str, now: int, lease: int, limit: int) -> Sequence[Due]:
        """Claims up to `limit` due rows for `lease` µs."""
        rows = await self._session.run(
            "UPDATE queue SET owner = ?, available_us = ?, token = token + 1, attempts = attempts + 1 WHERE id IN ("
            "SELECT id FROM queue WHERE lane = ? AND available_us <= ? ORDER BY available_us, id "
            f"LIMIT {int(limit)}{self._session.dialect.skip_locked}) RETURNING id, lane, key, payload, token, attempts",
            owner,
            now + lease,
            lane,
            now,
        )
        return sorted((Due(row[0], row[1], row[2], msgspec.json.decode(row[3]), row[4], row[5]) for row in rows),
                      key=lambda task: task.id)  # fmt: skip

    async def renew(self, tasks: Sequence[Due], now: int, lease: int) -> Sequence[int]:
        """Extends the leases of the rows that are still held. Returns their ids."""
        rows: list[tuple[Any, ...]] = []
        for task in tasks:
            rows += await self._session.run(
                "UPDATE queue SET available_us = ? WHERE id = ? AND token = ? RETURNING id",
                now + lease,
                task.id,
                task.token,
            )
        return [row[0] for row in rows]

    async def done(self, task: Due) -> bool:
        """Deletes the row if it is still held. Returns False if it is not."""
        rows = await self._session.run("DELETE FROM queue WHERE id = ? AND token = ? RETURNING id", task.id, task.token)
        return bool(rows)

    async def release(self, task: Due, available: int) -> bool:
        """Ends the claim, so that the row may be claimed from `available` (µs) on. Returns False if it is not held."""
        rows = await self._session.run(
            "UPDATE queue SET owner = NULL, available_us = ?, token = token + 1 "
            "WHERE id = ? AND token = ? RETURNING id",
            available,
            task.id,
            task.token,
        )
        return bool(rows)

    async def move(self, task: Due, lane: str) -> bool:
        """Moves the row to another lane, where nobody has claimed it. Returns False if it is not held."""
        rows = await self._session.run(
            "UPDATE queue SET lane = ?, owner = NULL, available_us = 0, token = token + 1 "
            "WHERE id = ? AND token = ? RETURNING id",
            lane,
            task.id,
            task.token,
        )
        return bool(rows)

    async def move_all(self, lane: str, to: str) -> int:
        """Moves every row of a lane to another one, where it is due at once. Returns the number of rows."""
        rows = await self._session.run(
            "UPDATE queue SET lane = ?, owner = NULL, available_us = 0, token = token + 1 WHERE lane = ? RETURNING id",
            to,
            lane,
        )
        return len(rows)

    async def discard(self, lane: str, key: str) -> None:
        """Deletes every row of the lane with `key`."""
        await self._session.run("DELETE FROM queue WHERE key = ? AND lane = ?", key, lane)

    async def next_due(self, lane: str) -> int | None:
        """Returns the time (µs) when the lane's next row is due; None if the lane is empty."""
        rows = await self._session.run(
            "SELECT available_us FROM queue WHERE lane = ? ORDER BY available_us LIMIT 1", lane
        )
        return int(rows[0][0]) if rows else None

    async def place(self, lane: str, key: str) -> tuple[int, int] | None:
        """Returns the time (µs) when the row with `key` may be claimed, and the number of rows before it; None if the
        lane has no such row."""
        rows = await self._session.run(
            "SELECT available_us, (SELECT count(*) FROM queue AS other WHERE other.lane = queue.lane AND "
            "(other.available_us, other.id) < (queue.available_us, queue.id)) FROM queue WHERE key = ? AND lane = ?",
            key,
            lane,
        )
        return (int(rows[0][0]), int(rows[0][1])) if rows else None

    async def holds(self, lane: str, key: str) -> bool:
        """Returns True if the lane has a row with `key`."""
        return bool(await self._session.run("SELECT 1 FROM queue WHERE key = ? AND lane = ? LIMIT 1", key, lane))

    async def wake(self, lane: str, since: int, available: int) -> None:
        """Lets every row of the lane that may be claimed only from `since` (µs) on, or later, be claimed from
        `available` (µs) on."""
        await self._session.run(
            "UPDATE queue SET available_us = ? WHERE lane = ? AND available_us >= ?", available, lane, since
        )

    async def free(self, owner: str, now: int) -> None:
        """Ends every lease of `owner`."""
        await self._session.run(
            "UPDATE queue SET owner = NULL, available_us = ?, token = token + 1 WHERE owner = ? AND available_us > ?",
            now,
            owner,
            now,
        )

    async def depths(self) -> dict[str, int]:
        """Returns the number of rows of each lane."""
        return {
            str(lane): int(count)
            for lane, count in await self._session.run("SELECT lane, count(*) FROM queue GROUP BY lane")
        }
