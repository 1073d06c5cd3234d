"""Use cases of the datastore: reads, writes and deletes keys, and provides them to templates."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

import msgspec

from squall.core.content.keyvalue import SYSTEM, USER, Key, KeyFilter, KeyNames, check_name
from squall.core.errors import InvalidError, NotFoundError
from squall.ports import Cipher, Clock, Store, Tx

T = TypeVar("T")
_LOG = logging.getLogger("squall.keys")
_EXPIRED_AT_ONCE = 500
_MOST_TTL = 100 * 365 * 86_400


class NewValue(msgspec.Struct, frozen=True, kw_only=True):
    """The new value of a key. If `encrypted` is true, the value is ciphertext already. `ttl` is in seconds (None: no
    limit)."""

    value: str
    secret: bool = False
    encrypted: bool = False
    ttl: int | None = None


class KeyObserver(Protocol):
    """What must know of changes of keys. `changed` and `expired` work in the transaction of the change."""

    async def changed(self, tx: Tx, old: Key | None, new: Key | None, execution: str) -> None:
        """Handles a key that was created (`old` is None), written, or deleted (`new` is None). `execution` is the id of
        the execution that did it; empty if none did."""
        ...

    async def expired(self, tx: Tx) -> None:
        """Handles the removal of keys whose time is over."""
        ...

    def hint(self) -> None:
        """Publishes hints after the transaction."""
        ...


class Keys:
    """The use cases of the datastore. In the user scope, `user` is the owner of a key; the system scope ignores it. The
    `observer` follows all changes."""

    def __init__(self, store: Store, clock: Clock, cipher: Cipher, observer: KeyObserver | None = None) -> None:
        self._store = store
        self._clock = clock
        self._cipher = cipher
        self._observer = observer

    async def get(self, scope: str, user: str, name: str) -> Key:
        """Returns a key. Raises `NotFoundError` in StackStorm's words."""
        now, owner = self._clock.now(), _owner(scope, user)
        key = await self._store.read(lambda tx: tx.keys.get(scope, owner, name, now))
        if key is None:
            raise _missing(name)
        return key

    async def find(self, scope: str, user: str, where: KeyFilter | None, limit: int | None, offset: int) -> list[Key]:
        """Returns a page of keys. `where` is their filter and order; this method sets its scope, user and time."""
        now, owner = self._clock.now(), _owner(scope, user)
        filter_ = where or KeyFilter(scope=scope, user=owner, now=now)
        filter_ = msgspec.structs.replace(filter_, scope=scope, user=owner, now=now)
        return list(await self._store.read(lambda tx: tx.keys.find(filter_, limit, offset)))

    async def put(self, scope: str, user: str, name: str, new: NewValue, execution: str = "") -> Key:
        """Creates or replaces a key. `execution` is the id of the execution that requests it. Raises `InvalidError`."""
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
            stored = msgspec.structs.replace(key, id=old.id) if old is not None else key
            if self._observer is not None:
                is_over = old is not None and old.expires is not None and old.expires <= now
                await self._observer.changed(tx, None if is_over else old, stored, execution)
            return stored

        return await self._observed(work)

    async def delete(self, scope: str, user: str, name: str, execution: str = "") -> None:
        """Deletes a key. `execution` is the id of the execution that requests it. Raises `NotFoundError`."""
        now = self._clock.now()

        async def work(tx: Tx) -> None:
            key = await tx.keys.get(scope, _owner(scope, user), name, now)
            if key is None:
                raise _missing(name)
            await tx.keys.delete(key.scope, key.user, key.name)
            if self._observer is not None:
                await self._observer.changed(tx, key, None, execution)

        await self._observed(work)

    def reveal(self, key: Key) -> str:
        """Returns a key's value as text, decrypted if it is secret. Raises `InvalidError` if it was encrypted with
        another key file."""
        if not key.secret:
            return key.value
        _LOG.info("a key was decrypted", extra={"scope": key.scope, "key": key.name})
        return self._cipher.decrypt(key.value)

    def decrypt(self, ciphertext: str) -> str:
        """Decrypts the value of a secret key, for the filter `decrypt_kv`. Raises `InvalidError`."""
        return self._cipher.decrypt(ciphertext)

    async def names(self, user: str) -> dict[str, KeyNames]:
        """Returns the value of `st2kv` in a template of this user: `system` and `user`."""
        now = self._clock.now()

        async def work(tx: Tx) -> tuple[Sequence[Key], Sequence[Key]]:
            system = await tx.keys.find(KeyFilter(scope=SYSTEM, user="", now=now), None, 0)
            return system, await tx.keys.find(KeyFilter(scope=USER, user=user, now=now), None, 0)

        system, own = await self._store.read(work)
        return {"system": _names(system), "user": _names(own)}

    async def expire(self) -> int:
        """Deletes expired keys, at most 500 per call. Returns their number."""
        now = self._clock.now()

        async def work(tx: Tx) -> int:
            count = await tx.keys.expire(now, _EXPIRED_AT_ONCE)
            if count and self._observer is not None:
                await self._observer.expired(tx)
            return count

        return await self._observed(work)

    async def _observed(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        result = await self._store.tx(work)
        if self._observer is not None:
            self._observer.hint()
        return result


def _missing(name: str) -> NotFoundError:
    return NotFoundError(f'The key "{name}" does not exist in the StackStorm datastore.')


def _owner(scope: str, user: str) -> str:
    return user if scope == USER else ""


def _names(keys: Sequence[Key]) -> KeyNames:
    return KeyNames({key.name: key.value for key in keys})
