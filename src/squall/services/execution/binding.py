"""Parameters bound to an execution: rendered, checked and sealed at its request, revealed for its run."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import msgspec

from squall.core.access.secret import Sealed, replace_sealed
from squall.core.content.action import Action, RunnerType
from squall.core.content.config_context import ConfigContext, mentions_config
from squall.core.content.keyvalue import mentions_keys
from squall.core.execution.execution import Execution
from squall.core.execution.params import bind_request, bind_run, check_depths
from squall.core.expr.jinja import Jinja
from squall.core.schema.taint import Taint, disclose, enclose, enclose_alone, secrets_of
from squall.core.schema.walk import seal_secrets, texts_in
from squall.ports import Vault
from squall.services.content.content import Content
from squall.services.content.keys import Keys
from squall.services.content.merged import Merged, MergedParameters
from squall.services.content.pack_configs import PackConfigs

MASKED_MOST = 64 << 10
"""The longest secret (bytes) that is masked in output: finding longer ones would hold up every other action."""

_LOG = logging.getLogger("squall.binding")


class Bound(NamedTuple):
    """Parameters for a run, and every secret that is in them or was used to make them, as an action might print it."""

    values: dict[str, Any]
    secrets: tuple[bytes, ...]


class Binding:
    """Binds parameters, with what templates may ask for, and what is secret, or made from secrets, sealed by the vault.

    `st2kv.user` are the keys of the `user` in an execution's context, whom the server has put there. StackStorm prefers
    `api_user`, which whoever requests may choose: with it, anybody could read anybody's keys.
    """

    def __init__(
        self, vault: Vault, keys: Keys, content: Content | None = None, configs: PackConfigs | None = None
    ) -> None:
        self._vault = vault
        self._keys = keys
        self._content = content
        self._configs = configs
        self._merged = MergedParameters()
        self._taint = Taint()
        self._jinja = Jinja(self._decrypted)

    async def request(
        self,
        action: Action,
        runner: RunnerType,
        given: Mapping[str, Any],
        context: dict[str, Any],
        plain: Collection[str] = (),
    ) -> dict[str, Any]:
        """What a caller gave, ready to be stored: rendered, checked, secrets sealed. Of `plain` parameters the values
        are such as have been stored before: they are not rendered again, and what was sealed stays so.

        Raises `InvalidError` with the parameter's name.
        """
        check_depths(given)
        merged = self._merged.of(action, runner)
        schemas = merged.schemas
        names = await self._names(context, [given], action.pack, merged)
        taint = self._taint = Taint()
        opened = {name: self._open(name, value, taint) if name in plain else value for name, value in given.items()}
        values = bind_request(schemas, opened, names, self._jinja, plain, taint)
        return {name: self._sealed(value, schemas[name], taint.of(name)) for name, value in values.items()}

    async def run(self, execution: Execution, action: Action, runner: RunnerType) -> Bound:
        """The values of all parameters for the run, secrets revealed. Raises `InvalidError`."""
        merged = self._merged.of(action, runner)
        schemas = merged.schemas
        names = await self._names(execution.context, [], action.pack, merged)
        taint = self._taint = Taint()
        stored = {name: self._open(name, value, taint) for name, value in execution.parameters.items()}
        values = bind_run(schemas, stored, names, self._jinja, taint)
        found = taint.all()
        for name, value in values.items():
            found += secrets_of(value, schemas[name])
            if taint.of(name) and isinstance(value, str):
                found.append(value)
        replace_sealed(execution.parameters, lambda envelope: found.append(self.reveal(envelope)))
        return Bound(values, _printable(found))

    def reveal(self, envelope: str) -> Any:
        """The value in an envelope that stands in stored parameters."""
        return disclose(self._vault.open(envelope))[0]

    def _open(self, name: str, value: Any, taint: Taint) -> Any:
        if isinstance(value, Sealed):
            opened, secrets = disclose(self._vault.open(value.envelope))
            taint.hold(name, secrets or [opened])
            return opened
        return replace_sealed(value, self.reveal)

    def _sealed(self, value: Any, schema: Any, secrets: list[Any]) -> Any:
        if secrets and value is not None:
            return self.enclosed(value, secrets)
        return seal_secrets(value, schema, lambda secret: enclose_alone(secret, self._vault.seal))

    async def names(self, texts: list[Any], context: dict[str, Any], pack: str) -> dict[str, Any]:
        """What templates of a pack may use besides parameters; keys and configuration only if a text may name them."""
        return await self._names(context, texts, pack)

    def watched(self) -> tuple[Jinja, Taint]:
        """Templates that may decrypt, and who is told what they open: until the next await, then others use it."""
        self._taint = Taint()
        return self._jinja, self._taint

    def enclosed(self, value: Any, secrets: list[Any]) -> Sealed:
        """A value that was made from these secrets, sealed, as it stands in stored parameters."""
        return Sealed(enclose(value, secrets, self._vault.seal))

    async def _names(
        self, context: dict[str, Any], texts: list[Any], pack: str, merged: Merged | None = None
    ) -> dict[str, Any]:
        """What templates may use besides parameters; keys and the pack's configuration are only looked up if a text, or
        one in the schemas `merged`, may name them."""
        by_schemas = merged is not None and merged.names_keys
        keys = await self._keys.names(context["user"]) if by_schemas else await self.keys(texts, context["user"])
        configured = (merged is not None and merged.names_config) or mentions_config(texts)
        named: dict[str, Any] = {name: context[name] for name in ("parent", "trigger") if name in context}
        return {
            **named,
            "action_context": context,
            "config_context": await self._config(pack, context["user"]) if configured else {},
            "st2kv": keys,
        }

    async def keys(self, texts: list[Any], user: str) -> Mapping[str, Any]:
        """What `st2kv` is in these texts, of which secret values are ciphertext; looked up only if one may name it."""
        if mentions_keys(texts):
            return await self._keys.names(user)
        return {"system": {}, "user": {}}

    async def _config(self, name: str, user: str) -> Mapping[str, Any]:
        if self._content is None or self._configs is None:
            return {}
        pack = (await self._content.packs()).get(name)
        if pack is None:
            return {}
        config = await self._configs.rendered(pack, user)
        return ConfigContext(config.values, frozenset(config.secrets), lambda secret: self._taint.open(secret))

    def _decrypted(self, ciphertext: Any) -> str:
        """The filter `decrypt_kv`. One binding is made at a time, so what it opens belongs to that one."""
        text = self._keys.decrypt(str(ciphertext))
        self._taint.open(text)
        return text


def _printable(secrets: list[Any]) -> tuple[bytes, ...]:
    """Secrets as the bytes that an action might print: of an object or an array also each text and number in it."""
    printed: dict[bytes, None] = {}
    for value in secrets:
        printed[value.encode() if isinstance(value, str) else msgspec.json.encode(value)] = None
        printed |= dict.fromkeys(text.encode() for text in texts_in(value))
    return tuple(secret for secret in printed if secret)
