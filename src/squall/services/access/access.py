"""Tokens and API keys: made, checked and ended. What a holder shows is kept as a hash only."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Any

import msgspec

from squall.core.access.access import (
    API_KEY,
    TOKEN,
    ApiKey,
    Identity,
    Token,
    acting_user,
    check_admin,
    is_admin,
    sees_keys_of,
)
from squall.core.errors import ConflictError, InvalidError, NotFoundError, UnauthorizedError
from squall.core.ids import is_id
from squall.ports import Bus, Clock, Passwords, Store, Tx
from squall.services.access.braking import Brake
from squall.services.lanes import VOID

_SECOND = 1_000_000
_KEY_SALT = b"saltnpepper"
_SERVICE_TTL, _SERVICE_SPARE = 86_400, 60
_PAID = 4
"""How many passwords are checked at once: each check keeps a processor busy on purpose."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Whether anybody is asked who they are; who is meant when not (`user`); who administrates; the longest lives of
    tokens (seconds); how long a stream goes on at most after its token was revoked elsewhere (`look`, seconds)."""

    enabled: bool
    user: str
    admins: tuple[str, ...] = ()
    token_ttl: int = 86_400
    look: float = 5.0


def token_digest(shown: str) -> str:
    """What a token is kept as. Tokens are random, so a fast hash is enough."""
    return hashlib.sha256(shown.encode("utf-8", "replace")).hexdigest()


def key_digest(shown: str) -> str:
    """What an API key is kept as: as StackStorm does, so that its keys go on working."""
    return hashlib.sha512(_KEY_SALT + shown.encode("utf-8", "replace")).hexdigest()


class Access:
    """Who is who. Every method that names a credential raises `UnauthorizedError` in StackStorm's words."""

    def __init__(self, store: Store, bus: Bus, clock: Clock, passwords: Passwords, rules: Rules) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._passwords = passwords
        self.rules = rules
        self._brake = Brake()
        self._turns = asyncio.Semaphore(_PAID)

    @property
    def anyone(self) -> Identity:
        """Who asks where nobody is asked."""
        return Identity(user=self.rules.user)

    def now(self) -> int:
        """µs since 1970."""
        return self._clock.now()

    # -- tokens

    async def login(self, user: str, password: str, peer: str, ttl: int | None) -> tuple[Token, str]:
        """A token for whoever knows the password: as it is kept, and what its holder shows.

        `peer` is the address it is asked from. After failures, the next attempts of the user and from the address wait.
        """
        async with self._brake.attempt(user, peer) as attempt:
            async with self._turns:
                right = await asyncio.to_thread(self._passwords.verify, user, password)
            if not right:
                attempt.failed()
                raise UnauthorizedError("Invalid or missing credentials")
        return await self.issue(user, self._lifetime(ttl))

    def _lifetime(self, ttl: int | None) -> int:
        most = self.rules.token_ttl
        if ttl is not None and ttl > most:
            raise InvalidError(f"TTL specified {ttl} is greater than max allowed {most}.")
        return most if ttl is None else ttl

    def offer(self, execution: str) -> str:
        """A new token for an action, which opens nothing yet. Where nobody is asked for one it is the execution's id,
        which only tells who asks."""
        return secrets.token_hex(16) if self.rules.enabled else execution

    async def grant(self, shown: str, user: str, timeout: float | None, execution: str) -> bool:
        """Makes an action's token open what `user` may do, until a little after `timeout` (seconds; None: a day).
        Gives whether it is a secret."""
        if self.rules.enabled:
            await self.issue(user, (timeout or _SERVICE_TTL) + _SERVICE_SPARE, execution, shown)
        return self.rules.enabled

    def named(self, shown: str) -> Identity:
        """Who asks where nobody is asked: an action says which by what it was given as its token."""
        return msgspec.structs.replace(self.anyone, execution=shown) if is_id(shown) else self.anyone

    async def issue(self, user: str, seconds: float, execution: str = "", shown: str = "") -> tuple[Token, str]:
        """A token that lives so long; with an `execution`, that execution's own; `shown` is made unless given."""
        shown = shown or secrets.token_hex(16)
        token = Token(
            id=self._clock.new_id(),
            hash=token_digest(shown),
            user=user,
            expires=self._clock.now() + int(seconds * _SECOND),
            service=bool(execution),
            execution=execution,
        )
        await self._store.tx(lambda tx: tx.access.add_token(token))
        return token, shown

    async def by_token(self, shown: str, location: str) -> Identity:
        """Who holds this token."""
        digest = token_digest(shown)
        token = await self._store.read(lambda tx: tx.access.token(digest))
        if token is None or not hmac.compare_digest(token.hash, digest) or not self._is_user(token.user, token.service):
            raise UnauthorizedError("Unauthorized")
        if token.expires <= self._clock.now():
            raise UnauthorizedError("Unauthorized - Token has expired.")
        return Identity(
            user=token.user,
            admin=is_admin(token.user, self.rules.admins),
            method=TOKEN,
            location=location,
            credential=token.hash,
            expires=token.expires,
            service=token.service,
            execution=token.execution,
        )

    def _is_user(self, user: str, service: bool) -> bool:
        """Whether the holder of a token may still log in; the user of an execution need not be able to."""
        return service or self._passwords.knows(user)

    async def is_valid(self, shown: str) -> bool:
        """Whether this token opens anything now."""
        try:
            await self.by_token(shown, "")
        except UnauthorizedError:
            return False
        return True

    async def revoke(self, digest: str) -> None:
        """Ends a token, and the streams that were opened with it."""
        await self._store.tx(lambda tx: tx.access.remove_token(digest))
        self._bus.publish(VOID, digest)

    async def revoke_tokens_of(self, execution: str) -> None:
        """Ends what an execution was given."""
        if not self.rules.enabled:
            return
        for digest in await self._store.tx(lambda tx: tx.access.remove_tokens_of(execution)):
            self._bus.publish(VOID, digest)

    async def prune(self) -> int:
        """Forgets tokens that ended a day ago: until then their holders are told that they have expired."""
        before = self._clock.now() - 86_400 * _SECOND
        return await self._store.tx(lambda tx: tx.access.prune_tokens(before))

    async def until_void(self, identity: Identity) -> None:
        """Returns when the identity's credential has ended; never for one without."""
        if not identity.credential:
            await asyncio.Event().wait()
        with self._bus.subscribe(VOID) as hints:
            while await self._holds(identity):
                wait = self.rules.look
                if identity.expires is not None:
                    wait = min(wait, max(0.01, (identity.expires - self._clock.now()) / _SECOND))
                await hints.wait(wait)

    async def _holds(self, identity: Identity) -> bool:
        if identity.expires is not None and identity.expires <= self._clock.now():
            return False
        if identity.method == API_KEY:
            key = await self._store.read(lambda tx: tx.access.key(identity.credential))
            return key is not None and key.enabled
        if not self._is_user(identity.user, identity.service):
            return False
        return await self._store.read(lambda tx: tx.access.token(identity.credential)) is not None

    # -- API keys

    async def by_key(self, shown: str, location: str) -> Identity:
        """Who holds this API key."""
        digest = key_digest(shown)
        key = await self._store.read(lambda tx: tx.access.key(digest))
        if key is None or not hmac.compare_digest(key.hash, digest):
            raise UnauthorizedError(f"Unauthorized - ApiKey with key_hash={digest} not found.")
        if not key.enabled:
            raise UnauthorizedError("Unauthorized - API key is disabled.")
        admin = is_admin(key.user, self.rules.admins)
        return Identity(user=key.user, admin=admin, method=API_KEY, location=location, credential=digest)

    async def make_key(self, identity: Identity, document: Mapping[str, Any]) -> tuple[ApiKey, str | None]:
        """A new API key, and what its holder shows: None when its hash was brought along (`key_hash`).

        Raises `ConflictError` when that is here already, `ForbiddenError` for another user's.
        """
        brought = document.get("key_hash")
        shown = None if brought else base64.b64encode(secrets.token_hex(32).encode()).decode().rstrip("=")
        key = ApiKey(
            id=self._clock.new_id(),
            hash=brought or key_digest(shown or ""),
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
        return key, shown

    async def keys(self, identity: Identity, user: str | None) -> list[ApiKey]:
        """The API keys that are there for this identity, oldest first."""
        found = await self._store.read(lambda tx: tx.access.keys(user))
        return [key for key in found if sees_keys_of(identity, key.user)]

    async def key(self, identity: Identity, id_or_key: str) -> ApiKey:
        """One API key, by its id or by itself. Raises `NotFoundError`."""
        found = await self._store.read(lambda tx: tx.access.key(id_or_key))
        if found is None:
            digest = key_digest(id_or_key)
            found = await self._store.read(lambda tx: tx.access.key(digest))
        if found is None or not sees_keys_of(identity, found.user):
            raise NotFoundError(f"ApiKey with key or id={id_or_key} not found.")
        return found

    async def change_key(self, identity: Identity, id_or_key: str, document: Mapping[str, Any]) -> ApiKey:
        """Changes user, metadata and switch of an API key. Raises `NotFoundError`, `InvalidError`, `ForbiddenError`."""
        key = await self.key(identity, id_or_key)
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

    async def remove_key(self, identity: Identity, id_or_key: str) -> None:
        """Ends an API key. Raises `NotFoundError`."""
        key = await self.key(identity, id_or_key)
        await self._store.tx(lambda tx: tx.access.remove_key(key.id))
        self._bus.publish(VOID, key.hash)
