"""Renders the parameters of rules' triggers, which may be templates with keys of the datastore."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from squall.core.content.pack_config import is_template
from squall.core.errors import InvalidError
from squall.core.event.rules.parameters import has_templates
from squall.core.event.rules.records import Rule
from squall.core.expr.jinja import Jinja
from squall.core.schema.taint import Taint
from squall.services.execution.binding import Binding


class TriggerParameters:
    """Renders the parameters of triggers with the keys of `user`."""

    def __init__(self, binding: Binding, user: str) -> None:
        self._binding = binding
        self._user = user

    async def keys(self) -> Mapping[str, Any]:
        """Returns the value of `st2kv` in the parameters of triggers."""
        return await self._binding.all_keys(self._user)

    async def rendered(self, rule: Rule, keys: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Returns the parameters of the rule's trigger. `keys` is the value of `st2kv`, if it has been read already.

        Raises `InvalidError`, which names the parameter, also if one is made from a secret: the parameters of triggers
        are not secret.
        """
        if not has_templates(rule):
            return rule.trigger.parameters
        keys = await self.keys() if keys is None else keys
        names = {"st2kv": keys, "system": keys.get("system", {})}

        def work(jinja: Jinja, taint: Taint) -> dict[str, Any]:
            rendered = {name: _rendered(name, value, jinja, names) for name, value in rule.trigger.parameters.items()}
            if taint.all():
                raise InvalidError("trigger.parameters: the parameters of a trigger cannot be made from secret values.")
            return rendered

        return await self._binding.rendering(work)


def _rendered(name: str, value: Any, jinja: Jinja, names: Mapping[str, Any]) -> Any:
    if not isinstance(value, str) or not is_template(value):
        return value
    try:
        return jinja.value(value, names)
    except InvalidError as error:
        raise InvalidError(f"trigger.parameters.{name}: {error}") from None
