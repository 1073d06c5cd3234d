"""The events that tell of changes of triggers and rules on the event stream."""

from __future__ import annotations

from typing import Final

import msgspec

from squall.core.event.events import RULE, RULE_ENFORCEMENT, TRIGGER_INSTANCE, Change
from squall.core.event.rules.records import (
    Enforcement,
    KeptBack,
    Rule,
    Trigger,
    TriggerInstance,
    TriggerType,
    document,
    kept_back_document,
)

CREATE: Final = "create"
UPDATE: Final = "update"
DELETE: Final = "delete"

_LARGEST = 16 << 10

Resource = TriggerType | Trigger | TriggerInstance | Rule | Enforcement
_KINDS: dict[type, str] = {
    TriggerType: "trigger_type",
    Trigger: "trigger",
    TriggerInstance: TRIGGER_INSTANCE,
    Rule: RULE,
    Enforcement: RULE_ENFORCEMENT,
}


def change_of(resource: Resource, what: str, at: int) -> Change:
    """Returns the event `st2.<kind>__<what>` of a resource at `at` (µs). `what` is one of the constants above."""
    kind = _KINDS[type(resource)]
    status = resource.status if isinstance(resource, TriggerInstance) else ""
    return Change(kind=kind, name=f"st2.{kind}__{what}", resource=resource.id, at=at, status=status)


def change_document(resource: Resource) -> bytes:
    """Returns the resource as listeners get it (JSON); empty for a trigger instance, which the sender reads."""
    return b"" if isinstance(resource, TriggerInstance) else msgspec.json.encode(document(resource))


def instance_document(instance: TriggerInstance, status: str) -> bytes:
    """Returns a trigger instance as listeners get it (JSON), with the status of the time of the event. A large payload
    is left out."""
    shown = {**document(instance), "status": status or instance.status}
    try:
        is_large = len(msgspec.json.encode(instance.payload)) > _LARGEST
    except (RecursionError, TypeError):
        is_large = True
    if is_large:
        del shown["payload"]
    return msgspec.json.encode(shown)


def kept_back_change(kept: KeptBack) -> tuple[Change, bytes]:
    """Returns the event `st2.rule__kept_back` of a match that was kept back, with its document."""
    change = Change(kind=RULE, name="st2.rule__kept_back", resource=kept.rule, at=kept.at)
    return change, msgspec.json.encode(kept_back_document(kept))
