"""Keeps the documents of the rule, the trigger and the trigger type that led to an execution."""

from __future__ import annotations

import hashlib

import msgspec

from squall.core.event.rules.records import Rule, TriggerInstance, document
from squall.core.execution.execution import Origin
from squall.ports import Tx


async def keep_origin(tx: Tx, rule: Rule, instance: TriggerInstance) -> Origin:
    """Returns the origin of an execution that `rule` requests for `instance`, and keeps its documents in the
    transaction `tx`. Executions with equal documents share them."""
    trigger = await tx.triggers.get(instance.trigger)
    trigger_type = await tx.trigger_types.get(instance.type)
    documents = {
        "rule": document(rule),
        **({"trigger": document(trigger)} if trigger is not None else {}),
        **({"trigger_type": document(trigger_type)} if trigger_type is not None else {}),
    }
    body = msgspec.json.encode(documents)
    key = hashlib.sha256(body).hexdigest()[:32]
    await tx.enforcements.keep_origin(key, body)
    return Origin(
        rule=rule.name,
        trigger=instance.trigger.partition(".")[2],
        trigger_type=instance.type.partition(".")[2],
        trigger_instance=instance.id,
        documents=key,
    )
