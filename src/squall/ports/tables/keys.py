"""The datastore's keys, and the cipher of the secret ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from squall.core.content.keyvalue import Key, KeyFilter


class KeyRows(Protocol):
    """The table of keys. What has expired is not there, whether it has been removed yet or not."""

    async def get(self, scope: str, user: str, name: str, now: int) -> Key | None:
        """One key."""
        ...

    async def put(self, key: Key) -> None:
        """Adds a key, or replaces the one of the same scope, user and name."""
        ...

    async def delete(self, scope: str, user: str, name: str) -> None:
        """Removes a key."""
        ...

    async def find(self, where: KeyFilter, limit: int | None, offset: int) -> Sequence[Key]:
        """A page of those that match, oldest first or by name."""
        ...

    async def expire(self, now: int, limit: int) -> int:
        """Removes up to `limit` keys whose time is over; gives how many that were."""
        ...


class Cipher(Protocol):
    """Encrypts the values of secret keys in a form that may be carried to another server with the same key file."""

    def encrypt(self, text: str) -> str:
        """The ciphertext, upper-case hex digits."""
        ...

    def decrypt(self, ciphertext: str) -> str:
        """The text. Raises `InvalidError` when this is no ciphertext made with the same key file."""
        ...
