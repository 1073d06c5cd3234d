"""Keeps the settings of webhooks: how senders sign, with which secrets, and whether repeated deliveries are dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from squall.core.errors import InvalidError, NotFoundError
from squall.core.event.webhooks.records import (
    CREATE,
    DELETE,
    UPDATE,
    HookSettings,
    NewSettings,
    read_settings,
    settings_change,
    settings_document,
)
from squall.core.event.webhooks.urls import GENERIC, hook_url
from squall.ports import Clock, Store, Tx, Vault


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a hook with its secrets in clear; only for the check of signatures. `secrets` is empty if a
    credential opens the hook."""

    settings: HookSettings
    secrets: tuple[str, ...]


class WebhookSettings:
    """The use cases of the settings of webhooks. Settings may exist before and after the rules of their hook."""

    def __init__(self, store: Store, clock: Clock, vault: Vault) -> None:
        self._store = store
        self._clock = clock
        self._vault = vault
        self._hooks: Mapping[str, Hook] | None = None
        self._changes = 0

    async def hook(self, url: str) -> Hook | None:
        """Returns a hook that has settings; None for any other. Raises `ConfigError` if its secrets were sealed with
        another key file."""
        hooks = self._hooks
        if hooks is None:
            changes = self._changes
            hooks = {each.url: self._opened(each) for each in await self._store.read(_all)}
            if changes == self._changes:
                self._hooks = hooks
        return hooks.get(url)

    async def is_signed(self, url: str) -> bool:
        """Checks whether a signature opens the hook, instead of a credential."""
        hook = await self.hook(url)
        return hook is not None and bool(hook.secrets)

    async def get(self, url: str) -> HookSettings:
        """Returns the settings of a hook. Raises `NotFoundError`."""
        hook = await self.hook(url)
        if hook is None:
            raise _missing(url)
        return hook.settings

    async def put(self, url: str, body: Mapping[str, Any], user: str) -> HookSettings:
        """Stores the settings in the body of a request. Raises `InvalidError`."""
        url = hook_url(url)
        if url == GENERIC:
            raise InvalidError(
                f"The webhook {GENERIC} dispatches each trigger that a body names, so it needs a credential and has no "
                "settings. Configure the webhook of a rule instead."
            )
        new = read_settings(body)
        now = self._clock.now()
        sealed = [self._vault.seal(secret) for secret in new.secrets or () if secret is not None]

        async def work(tx: Tx) -> HookSettings:
            old = next((each for each in await tx.webhooks.settings() if each.url == url), None)
            settings = HookSettings(
                url=url,
                preset=new.preset,
                secrets=_secrets(new, sealed, old),
                drop_duplicates=new.drop_duplicates,
                user=user,
                at=now,
            )
            await tx.webhooks.put_settings(settings)
            what = CREATE if old is None else UPDATE
            await tx.events.add(settings_change(settings, what, now), _encoded(settings))
            return settings

        settings = await self._store.tx(work)
        self._forget()
        return settings

    async def delete(self, url: str) -> None:
        """Removes the settings of a hook: from then on it needs a credential. Raises `NotFoundError`."""
        now = self._clock.now()

        async def work(tx: Tx) -> None:
            old = next((each for each in await tx.webhooks.settings() if each.url == url), None)
            if old is None:
                raise _missing(url)
            await tx.webhooks.delete_settings(url)
            await tx.events.add(settings_change(old, DELETE, now), _encoded(old))

        await self._store.tx(work)
        self._forget()

    def _forget(self) -> None:
        self._changes += 1
        self._hooks = None

    def _opened(self, settings: HookSettings) -> Hook:
        return Hook(settings=settings, secrets=tuple(self._vault.open(each) for each in settings.secrets))


async def _all(tx: Tx) -> Sequence[HookSettings]:
    return await tx.webhooks.settings()


def _encoded(settings: HookSettings) -> bytes:
    return msgspec.json.encode(settings_document(settings))


def _secrets(new: NewSettings, sealed: Sequence[str], old: HookSettings | None) -> tuple[str, ...]:
    """Returns the envelopes of the secrets: the new ones, and stored ones in place of None. Raises `InvalidError`."""
    stored = old.secrets if old is not None else ()
    keeps = new.secrets is None or None in new.secrets
    if keeps and stored and old is not None and new.preset != old.preset:
        raise InvalidError("secrets: the preset is another one, so the stored secrets cannot stay. Send all secrets.")
    if new.secrets is None:
        envelopes = stored
    else:
        fresh, kept = iter(sealed), iter(stored)
        try:
            envelopes = tuple(next(kept) if secret is None else next(fresh) for secret in new.secrets)
        except (StopIteration, RuntimeError):
            raise InvalidError(
                f"secrets: ******** stands for a stored secret, and the hook has {len(stored)} of them."
            ) from None
    if new.preset is not None and not envelopes:
        raise InvalidError("secrets: a preset needs one or two secrets, the newest first.")
    return envelopes


def _missing(url: str) -> NotFoundError:
    return NotFoundError(f'The webhook "{url:.200}" has no settings. Store some: squall webhook configure {url:.200}')
