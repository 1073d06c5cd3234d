"""API keys: created, listed, changed and removed. Only their hashes are stored."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

import msgspec

from squall.core.access.access import ApiKey, Identity, acting_user, check_admin, sees_keys_of
from squall.core.errors import ConflictError, InvalidError, NotFoundError
from squall.ports import Bus, Clock, Store, Tx
from squall.services.lanes import VOID

_KEY_SALT = b"saltnpepper"


def key_digest(key_text: str) -> str:
    """Returns the stored hash of an API key. It is StackStorm's hash, so that its keys stay valid."""
    return hashlib.sha512(_KEY_SALT + key_text.encode("utf-8", "replace")).hexdigest()


class ApiKeys:
    """The use cases of API keys."""

    def __init__(self, store: Store, bus: Bus, clock: Clock) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock

    async def make(self, identity: Identity, document: Mapping[str, Any]) -> tuple[ApiKey, str | None]:
        """Creates an API key. Returns it with its secret text; None if the document has its hash (`key_hash`).

        Raises `ConflictError` if that hash exists already, `ForbiddenError` if the key is for another user.
        """
        digest = document.get("key_hash")
        key_text = None if digest else base64.b64encode(secrets.token_hex(32).encode()).decode().rstrip("=")
        key = ApiKey(
            id=self._clock.new_id(),
            hash=digest or key_digest(key_text or ""),
            user=acting_user(identity, document.get("user")),
            created=self._clock.now(),
            enabled=document.get("enabled", True),
            metadata=document.get("metadata") or {},
        )

        async def work(tx: Tx) -> None:
            old = await tx.access.key(key.hash)
            if old is not None:
                raise ConflictError(f'API key with id "{old.id}" has this key_hash already.', old.id)
            await tx.access.put_key(key)

        await self._store.tx(work)
        return key, key_text

    async def find(self, identity: Identity, user: str | None) -> list[ApiKey]:
        """Returns the API keys that this identity may see, oldest first."""
        rows = await self._store.read(lambda tx: tx.access.keys(user))
        return [key for key in rows if sees_keys_of(identity, key.user)]

    async def get(self, identity: Identity, id_or_key: str) -> ApiKey:
        """Returns one API key, by its id or its secret text. Raises `NotFoundError`."""
        key = await self._store.read(lambda tx: tx.access.key(id_or_key))
        if key is None:
            digest = key_digest(id_or_key)
            key = await self._store.read(lambda tx: tx.access.key(digest))
        if key is None or not sees_keys_of(identity, key.user):
            raise NotFoundError(f"ApiKey with key or id={id_or_key} not found.")
        return key

    async def change(self, identity: Identity, id_or_key: str, document: Mapping[str, Any]) -> ApiKey:
        """Changes fields of an API key. Raises `NotFoundError`, `InvalidError`, `ForbiddenError`."""
        key = await self.get(identity, id_or_key)
        if document.get("user") is None:
            raise InvalidError(f"ValidationError (ApiKeyDB:{key.id}) (Field is required: ['user'])")
        if document["user"] != key.user:
            check_admin(identity, "giving an API key to another user")
        if document.get("key_hash", "********") not in ("********", key.hash):
            raise InvalidError("key_hash: the hash of an API key does not change; create a new one instead")
        changed = msgspec.structs.replace(
            key,
            user=document["user"],
            enabled=document.get("enabled", True),
            metadata=document.get("metadata") or {},
        )
        await self._store.tx(lambda tx: tx.access.put_key(changed))
        self._bus.publish(VOID, changed.hash)
        return changed

    async def remove(self, identity: Identity, id_or_key: str) -> None:
        """Deletes an API key. Raises `NotFoundError`."""
        key = await self.get(identity, id_or_key)
        await self._store.tx(lambda tx: tx.access.remove_key(key.id))
        self._bus.publish(VOID, key.hash)
