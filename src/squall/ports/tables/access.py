"""The table of tokens and API keys, and the check of passwords."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from squall.core.access.access import ApiKey, Token


class AccessRows(Protocol):
    """Tokens and API keys, by their hashes: what their holders show is never kept."""

    async def add_token(self, token: Token) -> None:
        """Adds a token."""
        ...

    async def token(self, digest: str) -> Token | None:
        """The token with this hash."""
        ...

    async def remove_token(self, digest: str) -> bool:
        """Removes a token; false when there was none."""
        ...

    async def remove_tokens_of(self, execution: str) -> Sequence[str]:
        """Removes an execution's tokens; their hashes."""
        ...

    async def prune_tokens(self, before: int) -> int:
        """Removes the tokens that ended before `before` (µs); how many."""
        ...

    async def put_key(self, key: ApiKey) -> None:
        """Adds an API key, or replaces the one with its id."""
        ...

    async def key(self, id_or_hash: str) -> ApiKey | None:
        """One API key."""
        ...

    async def keys(self, user: str | None) -> Sequence[ApiKey]:
        """All API keys, or a user's, oldest first."""
        ...

    async def remove_key(self, key_id: str) -> bool:
        """Removes an API key; false when there was none."""
        ...


class Passwords(Protocol):
    """Who the users are."""

    def verify(self, user: str, password: str) -> bool:
        """Whether it is the user's password. It takes as long for a user that does not exist, and may block."""
        ...

    def knows(self, user: str) -> bool:
        """Whether there is such a user still."""
        ...
