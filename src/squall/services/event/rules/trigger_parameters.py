"""Renders the parameters of rules' triggers, which may be templates with keys of the datastore."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from squall.core.content.pack_config import is_template
from squall.core.errors import InvalidError
from squall.core.event.rules.records import Rule
from squall.core.expr.jinja import Jinja
from squall.core.schema.taint import Taint
from squall.core.schema.walk import texts_in
from squall.services.execution.binding import Binding


def has_templates(rule: Rule) -> bool:
    """Checks whether a parameter of the rule's trigger is a template."""
    return any(is_template(text) for text in texts_in(rule.trigger.parameters))


class TriggerParameters:
    """Renders the parameters of triggers with the keys of `user`."""

    def __init__(self, binding: Binding, user: str) -> None:
        self._binding = binding
        self._user = user

    async def rendered(self, rule: Rule) -> Mapping[str, Any]:
        """Returns the parameters of the rule's trigger. Raises `InvalidError`, which names the parameter, also if one
        is made from a secret: the parameters of triggers are not secret."""
        if not has_templates(rule):
            return rule.trigger.parameters
        keys = await self._binding.all_keys(self._user)
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
