"""The datastore's keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from squall.adapters.sql.dialect.session import Session, marks
from squall.core.content.keyvalue import Key, KeyFilter

_COLUMNS = "id, scope, username, name, value, secret, expires_us"
_LIVE = "(expires_us IS NULL OR expires_us > ?)"


def _key(row: tuple[Any, ...]) -> Key:
    return Key(id=row[0], scope=row[1], user=row[2], name=row[3], value=row[4], secret=bool(row[5]), expires=row[6])


class SqlKeys:
    """`ports.KeyRows` in SQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def get(self, scope: str, user: str, name: str, now: int) -> Key | None:
        """Returns one key; None if there is none or it has expired."""
        rows = await self._session.run(
            f"SELECT {_COLUMNS} FROM keys WHERE scope = ? AND username = ? AND name = ? AND {_LIVE}",
            scope,
            user,
            name,
            now,
        )
        return _key(rows[0]) if rows else None

    async def put(self, key: Key) -> None:
        """Adds or replaces a key, which keeps its id."""
        await self._session.run(
            f"INSERT INTO keys ({_COLUMNS}) VALUES ({marks(7)}) ON CONFLICT (scope, username, name) DO UPDATE SET "
            "value = excluded.value, secret = excluded.secret, expires_us = excluded.expires_us",
            key.id,
            key.scope,
            key.user,
            key.name,
            key.value,
            int(key.secret),
            key.expires,
        )

    async def delete(self, scope: str, user: str, name: str) -> None:
        """Deletes a key."""
        await self._session.run("DELETE FROM keys WHERE scope = ? AND username = ? AND name = ?", scope, user, name)

    async def find(self, where: KeyFilter, limit: int | None, offset: int) -> Sequence[Key]:
        """Returns a page of the keys that match a filter."""
        terms = ["scope = ?", "username = ?", _LIVE]
        values: list[Any] = [where.scope, where.user, where.now]
        if where.prefix:
            # LIKE would read % and _ in a prefix as wildcards.
            terms.append("substr(name, 1, ?) = ?")
            values += [len(where.prefix), where.prefix]
        if where.name is not None:
            terms.append("name = ?")
            values.append(where.name)
        if where.ids is not None:
            terms.append(f"id IN ({marks(len(where.ids))})")
            values += where.ids
        order = "name" if where.by_name else "id"
        statement = f"SELECT {_COLUMNS} FROM keys WHERE {' AND '.join(terms)} ORDER BY {order}"
        statement += " DESC" if where.descending else " ASC"
        if limit is not None or offset:
            statement += f" LIMIT {2**62 if limit is None else int(limit)} OFFSET {int(offset)}"
        return [_key(row) for row in await self._session.run(statement, *values)]

    async def expire(self, now: int, limit: int) -> int:
        """Deletes up to `limit` expired keys. Returns their number."""
        rows = await self._session.run(
            f"DELETE FROM keys WHERE id IN (SELECT id FROM keys WHERE expires_us <= ? LIMIT {int(limit)}) RETURNING id",
            now,
        )
        return len(rows)
