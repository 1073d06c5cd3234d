"""The tables of tokens and API keys, which hold only their hashes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from squall.adapters.sql.dialect.session import Session
from squall.core.access.access import ApiKey, Token
from squall.core.ids import is_id

_TOKEN = "hash, id, username, expires_us, service, execution"  # noqa: S105 - columns
_KEY = "id, hash, username, created_us, enabled, metadata"


def _key(row: tuple[Any, ...]) -> ApiKey:
    return ApiKey(
        id=row[0],
        hash=row[1],
        user=row[2],
        created=row[3],
        enabled=bool(row[4]),
        metadata=msgspec.json.decode(row[5]),
    )


class SqlAccess:
    """`ports.AccessRows` in SQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def add_token(self, token: Token) -> None:
        """Adds a token."""
        await self._session.run(
            f"INSERT INTO tokens ({_TOKEN}) VALUES (?, ?, ?, ?, ?, ?)",
            token.hash,
            token.id,
            token.user,
            token.expires,
            int(token.service),
            token.execution,
        )

    async def token(self, digest: str) -> Token | None:
        """Returns the token with this hash; None if there is none."""
        rows = await self._session.run(f"SELECT {_TOKEN} FROM tokens WHERE hash = ?", digest)
        if not rows:
            return None
        token_hash, token_id, user, expires, service, execution = rows[0]
        return Token(
            id=token_id, hash=token_hash, user=user, expires=expires, service=bool(service), execution=execution
        )

    async def remove_token(self, digest: str) -> bool:
        """Deletes a token. Returns False if there was none."""
        return bool(await self._session.run("DELETE FROM tokens WHERE hash = ? RETURNING hash", digest))

    async def remove_tokens_of(self, execution: str) -> Sequence[str]:
        """Deletes an execution's tokens. Returns their hashes."""
        rows = await self._session.run(
            "DELETE FROM tokens WHERE execution = ? AND execution <> '' RETURNING hash", execution
        )
        return [row[0] for row in rows]

    async def prune_tokens(self, before: int) -> int:
        """Deletes the tokens that expired before `before` (µs). Returns their number."""
        return len(await self._session.run("DELETE FROM tokens WHERE expires_us < ? RETURNING hash", before))

    async def put_key(self, key: ApiKey) -> None:
        """Adds an API key, or replaces the one with its id."""
        await self._session.run(
            f"INSERT INTO api_keys ({_KEY}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
            "username = excluded.username, enabled = excluded.enabled, metadata = excluded.metadata",
            key.id,
            key.hash,
            key.user,
            key.created,
            int(key.enabled),
            msgspec.json.encode(key.metadata).decode(),
        )

    async def key(self, id_or_hash: str) -> ApiKey | None:
        """Returns one API key; None if there is none."""
        column = "id" if is_id(id_or_hash) else "hash"
        rows = await self._session.run(f"SELECT {_KEY} FROM api_keys WHERE {column} = ?", id_or_hash)
        return _key(rows[0]) if rows else None

    async def keys(self, user: str | None) -> Sequence[ApiKey]:
        """Returns all API keys, or those of a user, oldest first."""
        if user is None:
            rows = await self._session.run(f"SELECT {_KEY} FROM api_keys ORDER BY created_us, id")
        else:
            rows = await self._session.run(
                f"SELECT {_KEY} FROM api_keys WHERE username = ? ORDER BY created_us, id", user
            )
        return [_key(row) for row in rows]

    async def remove_key(self, key_id: str) -> bool:
        """Deletes an API key. Returns False if there was none."""
        return bool(await self._session.run("DELETE FROM api_keys WHERE id = ? RETURNING id", key_id))
