"""Binds parameters to an execution: renders, checks and seals them at its request, and reveals them for its run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeVar

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
from squall.services.content.templates import Templates

T = TypeVar("T")
MASKED_MOST = 64 << 10
"""The longest secret (bytes) that is masked in output. A search for longer ones would slow every other action."""

_LOG = logging.getLogger("squall.binding")


class Bound(NamedTuple):
    """The parameters for a run, and the secrets in them or used to make them, as the bytes an action might print."""

    values: dict[str, Any]
    secrets: tuple[bytes, ...]


class Binding:
    """Binds parameters with the names that templates may use. The vault seals secrets and values made from secrets.

    `st2kv.user` are the keys of the `user` that the server put into the execution's context. StackStorm prefers
    `api_user`, which the requester chooses: with it, every user could read the keys of every other user.
    """

    def __init__(
        self,
        vault: Vault,
        keys: Keys,
        content: Content | None = None,
        configs: PackConfigs | None = None,
        templates: Templates | None = None,
    ) -> None:
        self._vault = vault
        self._keys = keys
        self._content = content
        self._configs = configs
        self._merged = MergedParameters()
        # Several bindings may render at once, each in its own task or thread.
        self._taint: ContextVar[Taint] = ContextVar("taint")
        self._templates = templates or Templates()
        self._jinja = self._templates.jinja(self._decrypted)

    async def request(
        self,
        action: Action,
        runner: RunnerType,
        parameters: Mapping[str, Any],
        context: dict[str, Any],
        plain: Collection[str] = (),
    ) -> dict[str, Any]:
        """Returns a caller's parameters in their stored form: rendered, checked, secrets sealed.

        The values of `plain` parameters were stored before. They are not rendered again, and sealed values stay sealed.
        Raises `InvalidError` with the parameter's name.
        """
        check_depths(parameters)
        merged = self._merged.of(action, runner)
        schemas = merged.schemas
        names = await self._names(context, [parameters], action.pack, merged)

        def bind(jinja: Jinja, taint: Taint) -> tuple[dict[str, Any], Taint]:
            opened = {
                name: self._open(name, value, taint) if name in plain else value for name, value in parameters.items()
            }
            return bind_request(schemas, opened, names, jinja, plain, taint), taint

        values, taint = await self.rendering(bind)
        return {name: self._sealed(value, schemas[name], taint.of(name)) for name, value in values.items()}

    async def run(self, execution: Execution, action: Action, runner: RunnerType) -> Bound:
        """Returns the values of all parameters for the run, with secrets revealed. Raises `InvalidError`."""
        merged = self._merged.of(action, runner)
        schemas = merged.schemas
        names = await self._names(execution.context, [], action.pack, merged)

        def bind(jinja: Jinja, taint: Taint) -> tuple[dict[str, Any], Taint]:
            stored = {name: self._open(name, value, taint) for name, value in execution.parameters.items()}
            return bind_run(schemas, stored, names, jinja, taint), taint

        values, taint = await self.rendering(bind)
        secrets = taint.all()
        for name, value in values.items():
            secrets += secrets_of(value, schemas[name])
            if taint.of(name) and isinstance(value, str):
                secrets.append(value)
        replace_sealed(execution.parameters, lambda envelope: secrets.append(self.reveal(envelope)))
        return Bound(values, _printable(secrets))

    def reveal(self, envelope: str) -> Any:
        """Returns the value in an envelope from stored parameters."""
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

    def unrendered(self, action: Action, runner: RunnerType, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Returns parameters as they are, with the secret ones sealed."""
        schemas = self._merged.of(action, runner).schemas
        return {name: self._sealed(value, schemas.get(name, {}), []) for name, value in parameters.items()}

    async def names(self, texts: list[Any], context: dict[str, Any], pack: str) -> dict[str, Any]:
        """Returns the names for templates of a pack; keys and configuration only if a text may mention them."""
        return await self._names(context, texts, pack)

    async def rendering(self, work: Callable[[Jinja, Taint], T], *, is_long: bool = False) -> T:
        """Calls `work` with templates that may decrypt, and with the `Taint` that records the secrets they open.

        If a template needs a process of its own, calls `work` again on a thread, with another `Taint`. If the work
        `is_long`, calls it on a thread only. Returns its result.
        """

        def recorded(jinja: Jinja) -> T:
            taint = Taint()
            self._taint.set(taint)
            return work(jinja, taint)

        return await self._templates.run(self._jinja, recorded, is_long=is_long)

    def at_once(self, work: Callable[[Jinja, Taint], T]) -> T:
        """Does what `rendering` does, on this thread. Raises `NeedsProcess` if a template needs a process."""
        taint = Taint()
        self._taint.set(taint)
        return work(self._jinja, taint)

    def enclosed(self, value: Any, secrets: list[Any]) -> Sealed:
        """Returns a value that was made from `secrets`, sealed as in stored parameters."""
        return Sealed(enclose(value, secrets, self._vault.seal))

    async def _names(
        self, context: dict[str, Any], texts: list[Any], pack: str, merged: Merged | None = None
    ) -> dict[str, Any]:
        """Returns the names for templates. Reads keys and the pack's configuration only if a text, or a text in the
        schemas `merged`, may mention them."""
        by_schemas = merged is not None and merged.names_keys
        keys = await self._keys.names(context["user"]) if by_schemas else await self.keys(texts, context["user"])
        configured = (merged is not None and merged.names_config) or mentions_config(texts)
        origins: dict[str, Any] = {name: context[name] for name in ("parent", "trigger") if name in context}
        return {
            **origins,
            "action_context": context,
            "config_context": await self._config(pack, context["user"]) if configured else {},
            "st2kv": keys,
        }

    async def keys(self, texts: list[Any], user: str) -> Mapping[str, Any]:
        """Returns the value of `st2kv`, with secrets as ciphertext. Reads keys only if a text may mention it."""
        if mentions_keys(texts):
            return await self._keys.names(user)
        return {"system": {}, "user": {}}

    async def all_keys(self, user: str) -> Mapping[str, Any]:
        """Returns the value of `st2kv` with all keys, secrets as ciphertext."""
        return await self._keys.names(user)

    def schemas(self, action: Action, runner: RunnerType) -> Mapping[str, Any]:
        """Returns the schemas of an action's parameters, merged with its runner's."""
        return self._merged.of(action, runner).schemas

    async def _config(self, name: str, user: str) -> Mapping[str, Any]:
        if self._content is None or self._configs is None:
            return {}
        pack = (await self._content.packs()).get(name)
        if pack is None:
            return {}
        config = await self._configs.rendered(pack, user)
        return ConfigContext(config.values, frozenset(config.secrets), lambda secret: self._taint.get().open(secret))

    def _decrypted(self, ciphertext: Any) -> str:
        """The filter `decrypt_kv`. The opened secret belongs to the binding that renders in this task or thread."""
        text = self._keys.decrypt(str(ciphertext))
        self._taint.get().open(text)
        return text


def _printable(secrets: list[Any]) -> tuple[bytes, ...]:
    """Returns secrets as the bytes that an action might print; also each text and number in objects and arrays."""
    printed: dict[bytes, None] = {}
    for value in secrets:
        printed[value.encode() if isinstance(value, str) else msgspec.json.encode(value)] = None
        printed |= dict.fromkeys(text.encode() for text in texts_in(value))
    return tuple(secret for secret in printed if secret)
