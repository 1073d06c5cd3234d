"""The datastore: looking up, writing and removing keys, and what templates see of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec

from squall.core.content.keyvalue import SYSTEM, USER, Key, KeyFilter, KeyNames, check_name
from squall.core.errors import InvalidError, NotFoundError
from squall.ports import Cipher, Clock, Store, Tx

_LOG = logging.getLogger("squall.keys")
_EXPIRED_AT_ONCE = 500
_MOST_TTL = 100 * 365 * 86_400


class NewValue(msgspec.Struct, frozen=True, kw_only=True):
    """What a key is to hold. `encrypted`: the value is ciphertext already; `ttl` is in seconds (None: for ever)."""

    value: str
    secret: bool = False
    encrypted: bool = False
    ttl: int | None = None


class Keys:
    """Use cases of the datastore. `user` names whose key it is, in the user scope; it is ignored in the system's."""

    def __init__(self, store: Store, clock: Clock, cipher: Cipher) -> None:
        self._store = store
        self._clock = clock
        self._cipher = cipher

    async def get(self, scope: str, user: str, name: str) -> Key:
        """One key. Raises `NotFoundError` in StackStorm's words."""
        now, owner = self._clock.now(), _owner(scope, user)
        found = await self._store.read(lambda tx: tx.keys.get(scope, owner, name, now))
        if found is None:
            raise NotFoundError(f'The key "{name}" does not exist in the StackStorm datastore.')
        return found

    async def find(self, scope: str, user: str, where: KeyFilter | None, limit: int | None, offset: int) -> list[Key]:
        """A page of keys. `where` says which and in what order; its scope, user and time are filled in here."""
        now, owner = self._clock.now(), _owner(scope, user)
        asked = where or KeyFilter(scope=scope, user=owner, now=now)
        asked = msgspec.structs.replace(asked, scope=scope, user=owner, now=now)
        return list(await self._store.read(lambda tx: tx.keys.find(asked, limit, offset)))

    async def put(self, scope: str, user: str, name: str, new: NewValue) -> Key:
        """Writes a key, new or not. Raises `InvalidError`."""
        check_name(name)
        if new.ttl is not None and not -_MOST_TTL <= new.ttl <= _MOST_TTL:
            raise InvalidError(f"ttl: {new.ttl} is more than {_MOST_TTL} seconds")
        value = new.value
        if new.encrypted:
            try:
                self._cipher.decrypt(value)
            except InvalidError as error:
                raise InvalidError(
                    f'Failed to verify the integrity of the provided value for key "{name}". Ensure that the value is '
                    "encrypted with the correct key and not corrupted."
                ) from error
        elif new.secret:
            value = self._cipher.encrypt(value)
        now = self._clock.now()
        key = Key(
            id=self._clock.new_id(),
            scope=scope,
            user=_owner(scope, user),
            name=name,
            value=value,
            secret=new.secret or new.encrypted,
            expires=now + new.ttl * 1_000_000 if new.ttl is not None else None,
        )

        async def work(tx: Tx) -> Key:
            old = await tx.keys.get(key.scope, key.user, key.name, 0)
            await tx.keys.put(key)
            return msgspec.structs.replace(key, id=old.id) if old is not None else key

        return await self._store.tx(work)

    async def delete(self, scope: str, user: str, name: str) -> None:
        """Removes a key. Raises `NotFoundError`."""
        key = await self.get(scope, user, name)
        await self._store.tx(lambda tx: tx.keys.delete(key.scope, key.user, key.name))

    def reveal(self, key: Key) -> str:
        """A key's value as a text, decrypted if it is secret. Raises `InvalidError` when another key file was used."""
        if not key.secret:
            return key.value
        _LOG.info("a key was decrypted", extra={"scope": key.scope, "key": key.name})
        return self._cipher.decrypt(key.value)

    def decrypt(self, ciphertext: str) -> str:
        """The text of a secret key's value, for the filter `decrypt_kv`. Raises `InvalidError`."""
        return self._cipher.decrypt(ciphertext)

    async def names(self, user: str) -> dict[str, KeyNames]:
        """What `st2kv` is in a template of this user: `system` and `user`."""
        now = self._clock.now()

        async def work(tx: Tx) -> tuple[Sequence[Key], Sequence[Key]]:
            system = await tx.keys.find(KeyFilter(scope=SYSTEM, user="", now=now), None, 0)
            return system, await tx.keys.find(KeyFilter(scope=USER, user=user, now=now), None, 0)

        system, own = await self._store.read(work)
        return {"system": _names(system), "user": _names(own)}

    async def expire(self) -> int:
        """Removes keys whose time is over, a few at once; gives how many."""
        now = self._clock.now()
        return await self._store.tx(lambda tx: tx.keys.expire(now, _EXPIRED_AT_ONCE))


def _owner(scope: str, user: str) -> str:
    return user if scope == USER else ""


def _names(keys: Sequence[Key]) -> KeyNames:
    return KeyNames({key.name: key.value for key in keys})
