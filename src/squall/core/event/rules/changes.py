"""The events that tell of changes of triggers and rules on the event stream."""

from __future__ import annotations

from typing import Final

import msgspec

from squall.core.event.events import Change
from squall.core.event.rules.records import (
    Enforcement,
    Rule,
    Trigger,
    TriggerInstance,
    TriggerType,
    document,
)

CREATE: Final = "create"
UPDATE: Final = "update"
DELETE: Final = "delete"

_LARGEST = 16 << 10

Resource = TriggerType | Trigger | TriggerInstance | Rule | Enforcement
_KINDS: dict[type, str] = {
    TriggerType: "trigger_type",
    Trigger: "trigger",
    TriggerInstance: "trigger_instance",
    Rule: "rule",
    Enforcement: "rule_enforcement",
}


def change_of(resource: Resource, what: str, at: int) -> Change:
    """Returns the event `st2.<kind>__<what>` of a resource at `at` (µs). `what` is one of the constants above."""
    kind = _KINDS[type(resource)]
    return Change(kind=kind, name=f"st2.{kind}__{what}", resource=resource.id, at=at)


def change_document(resource: Resource) -> bytes:
    """Returns the resource as listeners get it (JSON). The payload of an event is left out if it is large."""
    shown = document(resource)
    if isinstance(resource, TriggerInstance):
        try:
            encoded = msgspec.json.encode(shown)
            is_large = len(encoded) > _LARGEST
        except (RecursionError, TypeError):
            is_large = True
        if not is_large:
            return encoded
        del shown["payload"]
    return msgspec.json.encode(shown)
