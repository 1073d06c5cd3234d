"""Issues, checks and revokes tokens and API keys. The store has only the hashes of their secret texts."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import secrets

import msgspec

from squall.core.access.access import (
    API_KEY,
    TOKEN,
    Identity,
    Token,
    is_admin,
)
from squall.core.errors import InvalidError, UnauthorizedError
from squall.core.ids import is_id
from squall.ports import Bus, Clock, Passwords, Store
from squall.services.access.api_keys import ApiKeys, key_digest
from squall.services.access.braking import Brake
from squall.services.access.turns import Turns
from squall.services.lanes import VOID

_SECOND = 1_000_000
_SERVICE_TTL, _SERVICE_SPARE = 86_400, 60
_MOST_CHECKS = max(1, (os.cpu_count() or 1) // 2)
"""The most password checks of guessers at once: each check deliberately keeps a processor busy."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of authentication. `enabled`: requests need credentials; `user`: the identity of requests without.

    `admins`: users with all rights; `token_ttl`: the longest lifetime of a token (seconds); `look`: a stream ends at
    most so many seconds after another server revoked its token.
    """

    enabled: bool
    user: str
    admins: tuple[str, ...] = ()
    token_ttl: int = 86_400
    look: float = 5.0


def token_digest(token_text: str) -> str:
    """Returns the stored hash of a token. Tokens are random, so a fast hash is safe."""
    return hashlib.sha256(token_text.encode("utf-8", "replace")).hexdigest()


class Access:
    """The use cases of tokens, and the checks of credentials, which raise `UnauthorizedError` in StackStorm's words.
    `api_keys` are the use cases of API keys."""

    def __init__(self, store: Store, bus: Bus, clock: Clock, passwords: Passwords, rules: Rules) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._passwords = passwords
        self.rules = rules
        self._brake = Brake()
        self._turns = Turns(_MOST_CHECKS)
        self.api_keys = ApiKeys(store, bus, clock)

    @property
    def anyone(self) -> Identity:
        """The identity of requests when authentication is off."""
        return Identity(user=self.rules.user)

    def now(self) -> int:
        """Returns the time in µs since 1970."""
        return self._clock.now()

    # -- tokens

    async def login(self, user: str, password: str, peer: str, ttl: int | None) -> tuple[Token, str]:
        """Logs a user in. Returns the stored token record and the secret text for the client.
        After failures, the user is refused at the address `peer` for a while. Raises `UnauthorizedError`, and
        `TooManyError` without a check of the password. If it is cancelled before the check, the check is not made."""
        with self._brake.attempt(user, peer) as attempt:

            def check() -> bool:
                attempt.has_begun = True
                return self._passwords.verify(user, password)

            attempt.was_right = await self._turns.check(peer, attempt.is_known, attempt.failures, check)
            if not attempt.was_right:
                raise UnauthorizedError("Invalid or missing credentials")
        return await self.issue(user, self._lifetime(ttl))

    def _lifetime(self, ttl: int | None) -> int:
        most = self.rules.token_ttl
        if ttl is not None and ttl > most:
            raise InvalidError(f"TTL specified {ttl} is greater than max allowed {most}.")
        return most if ttl is None else ttl

    def offer(self, execution: str) -> str:
        """Returns a new token for an action. It opens nothing before `grant`. If authentication is off, it is the id
        of the execution, which only identifies the requester."""
        return secrets.token_hex(16) if self.rules.enabled else execution

    async def grant(self, token: str, user: str, timeout: float | None, execution: str) -> bool:
        """Gives an action's token the rights of `user` until a little after `timeout` (seconds; None: a day).
        Returns whether the token is a secret."""
        if self.rules.enabled:
            await self.issue(user, (timeout or _SERVICE_TTL) + _SERVICE_SPARE, execution, token)
        return self.rules.enabled

    def named(self, token_text: str) -> Identity:
        """Returns the identity of a request when authentication is off. The token of an action names its execution."""
        return msgspec.structs.replace(self.anyone, execution=token_text) if is_id(token_text) else self.anyone

    async def issue(self, user: str, seconds: float, execution: str = "", token_text: str = "") -> tuple[Token, str]:
        """Stores a token with a lifetime of `seconds`. With `execution`, it belongs to that execution. Returns the
        record and the secret text, which is `token_text` or new random text."""
        token_text = token_text or secrets.token_hex(16)
        token = Token(
            id=self._clock.new_id(),
            hash=token_digest(token_text),
            user=user,
            expires=self._clock.now() + int(seconds * _SECOND),
            service=bool(execution),
            execution=execution,
        )
        await self._store.tx(lambda tx: tx.access.add_token(token))
        return token, token_text

    async def by_token(self, token_text: str, location: str) -> Identity:
        """Returns the identity of a token's holder. Raises `UnauthorizedError`."""
        digest = token_digest(token_text)
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
        """Checks whether the user of a token may still log in. The user of an execution's token need not be able to."""
        return service or self._passwords.knows(user)

    async def is_valid(self, token_text: str) -> bool:
        """Checks whether a token is valid now."""
        try:
            await self.by_token(token_text, "")
        except UnauthorizedError:
            return False
        return True

    async def revoke(self, digest: str) -> None:
        """Revokes the token with the hash `digest`, and ends the streams that use it."""
        await self._store.tx(lambda tx: tx.access.remove_token(digest))
        self._bus.publish(VOID, digest)

    async def revoke_tokens_of(self, execution: str) -> None:
        """Revokes the tokens of an execution."""
        if not self.rules.enabled:
            return
        for digest in await self._store.tx(lambda tx: tx.access.remove_tokens_of(execution)):
            self._bus.publish(VOID, digest)

    async def prune(self) -> int:
        """Deletes tokens that expired a day ago. Until then their holders get the error that they have expired."""
        before = self._clock.now() - 86_400 * _SECOND
        return await self._store.tx(lambda tx: tx.access.prune_tokens(before))

    async def until_void(self, identity: Identity) -> None:
        """Waits until the identity's credential expires or is revoked; for ever if it has no credential."""
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

    async def by_key(self, key_text: str, location: str) -> Identity:
        """Returns the identity of an API key's holder. Raises `UnauthorizedError`."""
        digest = key_digest(key_text)
        key = await self._store.read(lambda tx: tx.access.key(digest))
        if key is None or not hmac.compare_digest(key.hash, digest):
            raise UnauthorizedError(f"Unauthorized - ApiKey with key_hash={digest} not found.")
        if not key.enabled:
            raise UnauthorizedError("Unauthorized - API key is disabled.")
        admin = is_admin(key.user, self.rules.admins)
        return Identity(user=key.user, admin=admin, method=API_KEY, location=location, credential=digest)
