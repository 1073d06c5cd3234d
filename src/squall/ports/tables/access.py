"""The table of tokens and API keys, and the check of passwords."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from squall.core.access.access import ApiKey, Token


class AccessRows(Protocol):
    """The tables of tokens and API keys, by their hashes: the secret texts of the clients are never stored."""

    async def add_token(self, token: Token) -> None:
        """Adds a token."""
        ...

    async def token(self, digest: str) -> Token | None:
        """Returns the token with this hash."""
        ...

    async def remove_token(self, digest: str) -> bool:
        """Removes a token. Returns false if there was none."""
        ...

    async def remove_tokens_of(self, execution: str) -> Sequence[str]:
        """Removes an execution's tokens. Returns their hashes."""
        ...

    async def prune_tokens(self, before: int) -> int:
        """Removes the tokens that expired before `before` (µs). Returns their number."""
        ...

    async def put_key(self, key: ApiKey) -> None:
        """Adds an API key, or replaces the one with its id."""
        ...

    async def key(self, id_or_hash: str) -> ApiKey | None:
        """Returns an API key by its id or hash."""
        ...

    async def keys(self, user: str | None) -> Sequence[ApiKey]:
        """Returns all API keys, or a user's, oldest first."""
        ...

    async def remove_key(self, key_id: str) -> bool:
        """Removes an API key. Returns false if there was none."""
        ...


class Passwords(Protocol):
    """The users and their passwords."""

    def verify(self, user: str, password: str) -> bool:
        """Checks a user's password. Takes the same time for a user that does not exist. May block."""
        ...

    def knows(self, user: str) -> bool:
        """Checks whether the user still exists."""
        ...
