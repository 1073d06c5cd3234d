"""The configurations of packs: reads and changes them, and renders them for actions.

A value may be a template with keys (`{{ st2kv.system.name }}`, `{{ st2kv.user.name }}`), so each user may get another
value. If the template of a secret attribute names a secret key, the key is decrypted, as in StackStorm.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from functools import partial
from typing import Any

from squall.core.access.secret import Sealed
from squall.core.content.action import Pack
from squall.core.content.keyvalue import mentions_keys
from squall.core.content.pack_config import PackConfig, check_values, secret_values, template_fault, whole
from squall.core.content.returned import masks_left, restored, without_masks
from squall.core.content.shown import shown_attributes
from squall.core.errors import InvalidError, NotFoundError
from squall.core.expr.jinja import Jinja
from squall.core.schema.literals import LiteralError, check_nesting
from squall.core.schema.walk import mapped, mask_secrets, place_of
from squall.ports import ConfigSource, Vault
from squall.services.content.content import Content
from squall.services.content.keys import Keys
from squall.services.content.templates import Templates

_LOG = logging.getLogger("squall.packs")


class PackConfigs:
    """The use cases of configurations. Every method raises `InvalidError` if a file cannot be read."""

    def __init__(
        self, content: Content, source: ConfigSource, keys: Keys, vault: Vault, templates: Templates | None = None
    ) -> None:
        self._content = content
        self._source = source
        self._keys = keys
        self._vault = vault
        self._accepted: dict[str, PackConfig] = {}
        self._warned: dict[str, str] = {}
        self._opened: ContextVar[list[str]] = ContextVar("opened")
        self._templates = templates or Templates()
        self._jinja = self._templates.jinja(self._decrypted)

    async def schemas(self) -> list[dict[str, Any]]:
        """Returns the documents of all schemas."""
        packs = (await self._content.packs()).values()
        return [document for pack in packs if (document := self._schema(pack)) is not None]

    async def schema(self, ref: str) -> dict[str, Any]:
        """Returns the document of a pack's schema. Raises `NotFoundError` in StackStorm's words."""
        pack = (await self._content.packs()).get(ref)
        return _existing(ref, self._schema(pack) if pack is not None else None)

    async def all(self, secrets: bool) -> list[dict[str, Any]]:
        """Returns the documents of all configurations. Secret values are masked unless `secrets` is set."""
        packs = (await self._content.packs()).values()
        return [document for pack in packs if (document := self._document(pack, secrets)) is not None]

    async def of_pack(self, ref: str, secrets: bool) -> dict[str, Any]:
        """Returns the document of one pack's configuration. Raises `NotFoundError` in StackStorm's words."""
        pack = (await self._content.packs()).get(ref)
        return _existing(ref, self._document(pack, secrets) if pack is not None else None)

    async def put(self, ref: str, values: dict[str, Any], secrets: bool) -> dict[str, Any]:
        """Configures a pack with these values and no others. A secret sent as asterisks keeps its old value or its
        default.

        Raises `InvalidError` that names the value, and `NotFoundError` for a pack that has no schema.
        """
        pack = (await self._content.packs()).get(ref)
        attributes = self._source.schema(pack) if pack is not None else {}
        if pack is None or not attributes:
            raise NotFoundError(f"Unable to find the ConfigSchemaDB instance. {{'pack': '{ref}'}}")
        try:
            check_nesting(values)
        except LiteralError as error:
            raise InvalidError(f'The configuration of pack "{ref}": {error}') from error
        place = place_of(whole(attributes))
        old = self._source.given(pack, True) or {}
        kept = without_masks(restored(values, mask_secrets(old, place), old), place)
        if unknown := next(masks_left(kept, place), None):
            raise InvalidError(
                f'The configuration of pack "{ref}" has ******** as the secret "{unknown}", which stands for no '
                "stored secret. Send the value."
            )
        path = str(self._source.path(pack))
        await self._templates.run(self._jinja, lambda jinja: check_values(ref, path, kept, attributes, jinja))
        sealed = mapped(kept, place, lambda secret: Sealed(self._vault.seal(secret)))
        await asyncio.to_thread(self._source.write, pack, sealed)
        return _existing(ref, self._document(pack, secrets))

    async def check(self, refs: Sequence[str]) -> tuple[int, list[str]]:
        """Returns how many of these packs have a configuration, and the faults of the configurations."""
        packs = await self._content.packs()
        count, faults = 0, []
        for ref in refs:
            try:
                values = self._source.given(packs[ref], True)
                count += values is not None
                await self._check(packs[ref], values)
            except InvalidError as error:
                faults.append(f"{ref}: {error}")
        return count, faults

    async def _check(self, pack: Pack, values: Mapping[str, Any] | None) -> None:
        """Checks the values that a user has set for a pack. Raises `InvalidError`."""
        if values is not None:
            path, schema = str(self._source.path(pack)), self._source.schema(pack)
            await self._templates.run(self._jinja, partial(check_values, pack.ref, path, values, schema))

    async def _in_use(self, pack: Pack) -> tuple[PackConfig, InvalidError | None]:
        """Returns the pack's configuration if its values fit its schema, otherwise the last one that did. If none did
        since the start, returns the present one with its fault. Raises `InvalidError` if there is none at all."""
        checked = self._accepted.get(pack.ref)
        present: PackConfig | None = None
        try:
            # The source returns the same object until one of its files changes.
            config = present = self._source.load(pack)
            while config is not checked:
                await self._check(pack, self._source.given(pack, True))
                checked, config = config, self._source.load(pack)
        except InvalidError as error:
            accepted = self._accepted.get(pack.ref)
            if accepted is not None:
                self._warn(pack.ref, str(error))
                return accepted, None
            if present is None:
                raise
            return present, error
        self._accepted[pack.ref] = config
        self._warned.pop(pack.ref, None)
        return config, None

    def _warn(self, ref: str, fault: str) -> None:
        """Logs that a configuration is refused, once for each fault."""
        if self._warned.get(ref) != fault:
            self._warned[ref] = fault
            _LOG.warning(
                "a changed configuration is refused; actions get the former", extra={"pack": ref, "fault": fault}
            )

    async def rendered(self, pack: Pack, user: str) -> PackConfig:
        """Returns the configuration for an action of this user, with secrets in plain text. A configuration that
        `check` refuses is not used: the last one that was accepted stays.

        Raises `InvalidError` that names the value, also if none was accepted."""
        config, fault = await self._in_use(pack)
        rendered = await self._rendered(pack, config, user)
        if fault is not None:
            # StackStorm's words about a template come first.
            raise fault
        return rendered

    async def _rendered(self, pack: Pack, config: PackConfig, user: str) -> PackConfig:
        if not config.templates and not mentions_keys(config.values):
            return config
        names = {"st2kv": await self._keys.names(user)}
        attributes = self._source.schema(pack)
        place = place_of(whole(attributes))

        def render(jinja: Jinja) -> PackConfig:
            opened: list[str] = []
            self._opened.set(opened)
            values = {
                name: mapped(value, place.property(name), *self._renderers(pack.ref, name, names, config, jinja))
                for name, value in config.values.items()
            }
            secrets = (*secret_values(values, attributes), *opened)
            return PackConfig(values, config.path, tuple(dict.fromkeys(secrets)))

        return await self._templates.run(self._jinja, render)

    def _renderers(
        self, pack: str, name: str, names: Mapping[str, Any], config: PackConfig, jinja: Jinja
    ) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
        templates = config.templates
        secrets = self._opened.get()

        def plain(value: Any, hidden: bool = False) -> Any:
            # The schema's defaults are templates only if they name a key.
            if not isinstance(value, str) or not (value in templates or mentions_keys(value)):
                return value
            opened = len(secrets)
            try:
                if value in templates and (fault := template_fault(value, jinja)):
                    raise InvalidError(fault)
                rendered = jinja.render(value, names)
            except InvalidError as error:
                message = f'Failed to render dynamic configuration value for key "{name}"'
                about = f'for pack "{pack}" config'
                if hidden:
                    raise InvalidError(f"{message} {about}: the template of the secret is wrong") from None
                raise InvalidError(f'{message} with value "{value}" {about}: {error}') from error
            if len(secrets) > opened:
                # A value that contains a secret is a secret.
                secrets.append(rendered)
            return rendered

        def secret(value: Any) -> Any:
            hidden = partial(plain, hidden=True)
            rendered = mapped(value, place_of(None), hidden, hidden)
            if isinstance(value, str) and rendered != value:
                try:
                    return self._keys.decrypt(rendered)
                except InvalidError:
                    # The template names a key that is not secret.
                    return rendered
            return rendered

        return secret, plain

    def _decrypted(self, ciphertext: Any) -> str:
        text = self._keys.decrypt(str(ciphertext))
        self._opened.get().append(text)
        return text

    def _schema(self, pack: Pack) -> dict[str, Any] | None:
        attributes = self._source.schema(pack)
        return {"pack": pack.ref, "attributes": shown_attributes(attributes), "id": pack.id} if attributes else None

    def _document(self, pack: Pack, secrets: bool) -> dict[str, Any] | None:
        values = self._source.given(pack, secrets)
        return {"pack": pack.ref, "values": values, "id": pack.id} if values is not None else None


def _existing(ref: str, document: dict[str, Any] | None) -> dict[str, Any]:
    if document is None:
        raise NotFoundError(f'Unable to identify resource with pack_ref "{ref}".')
    return document
