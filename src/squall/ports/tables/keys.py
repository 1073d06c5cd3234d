"""The table of datastore keys, and the cipher of the secret ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from squall.core.content.keyvalue import Key, KeyFilter


class KeyRows(Protocol):
    """The table of keys. Its methods hide an expired key even before it is removed."""

    async def get(self, scope: str, user: str, name: str, now: int) -> Key | None:
        """Returns a key."""
        ...

    async def put(self, key: Key) -> None:
        """Adds a key, or replaces the one of the same scope, user and name."""
        ...

    async def delete(self, scope: str, user: str, name: str) -> None:
        """Removes a key."""
        ...

    async def find(self, where: KeyFilter, limit: int | None, offset: int) -> Sequence[Key]:
        """Returns a page of the keys that match, oldest first or ordered by name."""
        ...

    async def expire(self, now: int, limit: int) -> int:
        """Removes up to `limit` expired keys. Returns their number."""
        ...


class Cipher(Protocol):
    """Encrypts the values of secret keys. Another server with the same key file can decrypt them."""

    def encrypt(self, text: str) -> str:
        """Returns the ciphertext: upper-case hex digits."""
        ...

    def decrypt(self, ciphertext: str) -> str:
        """Returns the text. Raises `InvalidError` if the ciphertext was not encrypted with the same key file."""
        ...
