"""The documents of rules for clients: with the secret parameters of their actions masked."""

from __future__ import annotations

from typing import Any

import msgspec

from squall.core.content.returned import restored
from squall.core.event.rules.records import Rule, TriggerInstance, document
from squall.core.execution.execution import Origin
from squall.core.schema.walk import mask_secrets, place_of
from squall.ports import Store, Tx
from squall.services.content.content import Content
from squall.services.execution.binding import Binding

_MOST_CACHED = 256


class RuleViews:
    """Builds documents of rules. Caches the documents of executions' origins, which never change."""

    def __init__(self, store: Store, content: Content, binding: Binding) -> None:
        self._store = store
        self._content = content
        self._binding = binding
        self._origins: dict[str, dict[str, Any]] = {}

    async def rule(self, rule: Rule, *, show_secrets: bool = False) -> dict[str, Any]:
        """Returns the document of a rule."""
        shown = document(rule)
        return shown if show_secrets else await self.masked(shown)

    async def masked(self, shown: dict[str, Any]) -> dict[str, Any]:
        """Returns the document of a rule with `********` for each parameter that the action's schema calls secret."""
        action = shown.get("action")
        runnable = await self._content.runnable(action["ref"]) if action is not None else None
        if action is None or runnable is None:
            return shown
        schemas = self._binding.schemas(*runnable)
        parameters = {
            name: mask_secrets(value, place_of(schemas.get(name, {}))) for name, value in action["parameters"].items()
        }
        return {**shown, "action": {**action, "parameters": parameters}}

    async def with_stored_secrets(self, body: Any, rule: Rule) -> Any:
        """Returns the body of a change of a rule, with the rule's own secrets in place of `********`."""
        action = body.get("action") if isinstance(body, dict) else None
        parameters = action.get("parameters") if isinstance(action, dict) else None
        if not isinstance(action, dict) or not isinstance(parameters, dict) or action.get("ref") != rule.action.ref:
            return body
        shown = (await self.rule(rule))["action"]["parameters"]
        stored = rule.action.parameters
        whole = {
            name: restored(value, shown[name], stored[name]) if name in stored else value
            for name, value in parameters.items()
        }
        return {**body, "action": {**action, "parameters": whole}}

    async def view(self, rule: Rule) -> dict[str, Any]:
        """Returns the document of a rule with the descriptions of its trigger and its action."""
        shown = await self.rule(rule)
        trigger_type = await self._store.read(lambda tx: tx.trigger_types.get(rule.trigger.type))
        runnable = await self._content.runnable(rule.action.ref)
        descriptions = {
            "trigger": trigger_type.description if trigger_type is not None else None,
            "action": runnable[0].description if runnable is not None else None,
        }
        for key, description in descriptions.items():
            if description is not None:
                shown[key] = {**shown[key], "description": description}
        return shown

    async def origin(self, origin: Origin, with_instance: bool) -> dict[str, Any]:
        """Returns the documents `rule`, `trigger`, `trigger_type` and, if `with_instance`, `trigger_instance` of an
        execution. The instance is missing when it is no longer kept."""

        async def work(tx: Tx) -> tuple[bytes, TriggerInstance | None]:
            body = b"" if origin.documents in self._origins else await tx.enforcements.origin(origin.documents)
            return body, await tx.instances.get(origin.trigger_instance) if with_instance else None

        body, instance = await self._store.read(work)
        if body:
            if len(self._origins) >= _MOST_CACHED:
                self._origins.clear()
            self._origins[origin.documents] = msgspec.json.decode(body)
        documents = dict(self._origins.get(origin.documents, {}))
        if "rule" in documents:
            documents["rule"] = await self.masked(documents["rule"])
        if instance is not None:
            documents["trigger_instance"] = document(instance)
        return documents
