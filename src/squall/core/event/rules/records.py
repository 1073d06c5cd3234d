"""The records of triggers and rules, and their documents, which are those of StackStorm's API.

A trigger type describes a kind of event. A trigger is a type with parameters, such as one webhook's URL. Each event is
an instance of a trigger. An enforcement is the attempt to run a rule's action for an instance.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import msgspec

from squall.core.timestamp import to_iso

PENDING = "pending"
PROCESSING = "processing"
PROCESSED = "processed"
PROCESSING_FAILED = "processing_failed"
INSTANCE_STATUSES = (PENDING, PROCESSING, PROCESSED, PROCESSING_FAILED)
"""The statuses of a trigger instance: stored, being evaluated, evaluated against all rules, given up."""

SUCCEEDED = "succeeded"
FAILED = "failed"
ENFORCEMENT_STATUSES = (SUCCEEDED, FAILED)
"""The statuses of an enforcement: its execution exists, or there is a `failure_reason`."""

LARGE_PAYLOAD = 1 << 20
"""The bytes (of JSON) above which the payload of an instance has a row of its own, and lists leave it out."""

STANDARD = "standard"
BACKSTOP = "backstop"

DEFAULT_PACK = "default"
"""The pack of rules that name none."""


class TriggerType(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of event: the JSON schemas of its payload and of the parameters of its triggers, in StackStorm's form."""

    description: str | None = None
    tags: list[dict[str, Any]] = []
    uid: str
    metadata_file: str | None = None
    ref: str
    name: str
    pack: str
    payload_schema: dict[str, Any] = {}
    parameters_schema: dict[str, Any] = {}
    id: str


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """A trigger type (`type`, its ref) with parameters. All rules with both the same share it."""

    uid: str
    ref: str
    name: str
    pack: str
    description: str | None = None
    type: str
    parameters: dict[str, Any] = {}
    id: str


class TriggerInstance(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the trigger `trigger` (its ref), at `occurred_at` (µs since 1970).

    `number` is the order of storing. `type` is the ref of the trigger's type. `source` names what is stored only once,
    such as one fire of a timer; None if nothing does. `trace` is the id of the trace, `trace_tag` its tag. `depth` is
    the number of rules that led to the event, one after the other. `evaluated_at` (µs) is when rules were evaluated,
    `rules_number` the number of the last change of a rule before that; 0 before. `reason` says why a processing failed.
    """

    trigger: str
    type: str = ""
    occurred_at: int
    status: str = PENDING
    id: str
    payload: Any
    number: int = 0
    source: str | None = None
    trace: str = ""
    trace_tag: str = ""
    depth: int = 0
    evaluated_at: int = 0
    rules_number: int = 0
    reason: str = ""


class RuleTrigger(msgspec.Struct, frozen=True, kw_only=True):
    """The trigger of a rule: a type's ref and parameters, which may be templates. `ref` is the trigger's own; empty
    until there is one."""

    type: str
    parameters: dict[str, Any] = {}
    ref: str = ""


class RuleAction(msgspec.Struct, frozen=True, kw_only=True):
    """The action of a rule, which need not exist, and its parameters, which may be templates."""

    ref: str
    parameters: dict[str, Any] = {}


class RuleKind(msgspec.Struct, frozen=True, kw_only=True):
    """The type of a rule: `standard`, or `backstop` for events that no standard rule matches."""

    ref: str = STANDARD
    parameters: dict[str, Any] = {}


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Runs an action for each event of a trigger that meets all `criteria`, which are stored as they were written.

    `throttle`, `correlate`, `absent` and `hold` are Squall's own: see `squall.core.event.rules.reading`.
    `enabled_in_file` is what the file of a pack says, `events` are the refs of the triggers of the entries of
    `correlate`; clients see neither. `trigger_error` says why the parameters of its trigger, which are templates, could
    not be rendered after a key changed: the rule has its earlier trigger.
    """

    tags: list[dict[str, Any]] = []
    uid: str
    metadata_file: str = ""
    name: str
    ref: str
    description: str | None = None
    pack: str
    type: RuleKind = RuleKind()
    trigger: RuleTrigger
    criteria: dict[str, Any] = {}
    action: RuleAction
    context: dict[str, Any] = {}
    enabled: bool = False
    throttle: dict[str, Any] | None = None
    correlate: dict[str, Any] | None = None
    absent: dict[str, Any] | None = None
    hold: bool | None = None
    enabled_in_file: bool | None = None
    events: tuple[str, ...] = ()
    trigger_error: str | None = None
    id: str

    @property
    def is_backstop(self) -> bool:
        """True if the rule is for events that no standard rule matches."""
        return self.type.ref == BACKSTOP


class RuleType(msgspec.Struct, frozen=True, kw_only=True):
    """One type of rules, as the API lists them."""

    name: str
    description: str
    enabled: bool = True
    parameters: dict[str, Any] = {}
    id: str


def _rule_type(name: str, description: str) -> RuleType:
    digest = hashlib.sha256(f"rule_type:{name}".encode()).hexdigest()[:24]
    return RuleType(name=name, description=description, id=digest)


RULE_TYPES: Mapping[str, RuleType] = {
    STANDARD: _rule_type(STANDARD, "A rule that is evaluated for every event of its trigger."),
    BACKSTOP: _rule_type(BACKSTOP, "A rule that is evaluated for events of its trigger that no other rule matches."),
}
"""All types of rules, by name."""


class RuleIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """The names of a rule at the time of an enforcement. The rule itself may change or vanish later."""

    ref: str
    id: str
    uid: str


class Enforcement(msgspec.Struct, frozen=True, kw_only=True):
    """The attempt to run the action of a rule that matched an instance, at `enforced_at` (µs since 1970).

    `execution_id` is None, and `failure_reason` says why, if there is no execution.
    """

    trigger_instance_id: str
    execution_id: str | None = None
    failure_reason: str | None = None
    rule: RuleIdentity
    enforced_at: int
    status: str = SUCCEEDED
    id: str


class KeptBack(msgspec.Struct, frozen=True, kw_only=True):
    """The last reason why a match did not fire: `rule` (an id) matched `instance` and was kept back at `at` (µs)."""

    rule: str
    rule_ref: str
    instance: str
    at: int
    reason: str


def kept_back_document(kept: KeptBack) -> dict[str, Any]:
    """Returns a match that was kept back as the API shows it."""
    return {
        "rule": {"id": kept.rule, "ref": kept.rule_ref},
        "trigger_instance_id": kept.instance,
        "reason": kept.reason,
    }


class InstanceFilter(msgspec.Struct, frozen=True, kw_only=True):
    """The filter and order of a list of trigger instances.

    `triggers` are refs of triggers, `type` is the ref of a type. `after` and `before` (µs) limit the time of the event,
    `number_after` and `number_before` its number; with one of these, the order is that of numbers. If `whole` is false,
    an object that says so stands in place of each payload of more than `LARGE_PAYLOAD` bytes.
    """

    ids: tuple[str, ...] | None = None
    triggers: tuple[str, ...] | None = None
    type: str | None = None
    status: str | None = None
    after: int | None = None
    before: int | None = None
    number_after: int | None = None
    number_before: int | None = None
    newest_first: bool = True
    whole: bool = True


class RuleFilter(msgspec.Struct, frozen=True, kw_only=True):
    """The filter of a list of rules. `trigger` is the ref of a trigger, `type` that of its type. `templated` rules have
    templates in the parameters of their trigger."""

    ids: tuple[str, ...] | None = None
    name: str | None = None
    pack: str | None = None
    action: str | None = None
    trigger: str | None = None
    type: str | None = None
    enabled: bool | None = None
    templated: bool | None = None


class EnforcementFilter(msgspec.Struct, frozen=True, kw_only=True):
    """The filter and order of a list of enforcements. `rule` is a ref; `after` and `before` (µs) limit their time."""

    ids: tuple[str, ...] | None = None
    rule: str | None = None
    rule_id: str | None = None
    instances: tuple[str, ...] | None = None
    execution: str | None = None
    after: int | None = None
    before: int | None = None
    newest_first: bool = True


def identity(rule: Rule) -> RuleIdentity:
    """Returns the names of a rule, for an enforcement."""
    return RuleIdentity(ref=rule.ref, id=rule.id, uid=rule.uid)


def trigger_uid(pack: str, name: str, parameters: Mapping[str, Any]) -> str:
    """Returns the uid of a trigger. Triggers of one type with the same parameters have the same digest in it."""
    digest = hashlib.md5(json.dumps(parameters, sort_keys=True).encode(), usedforsecurity=False).hexdigest()
    return f"trigger:{pack}:{name}:{digest}"


def parameters_digest(parameters: Mapping[str, Any]) -> str:
    """Returns a text that is equal for equal parameters of triggers, in any order of their names."""
    return hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:32]


def make_trigger(
    type_ref: str, parameters: Mapping[str, Any], trigger_id: str, unique: str, description: str | None = None
) -> Trigger:
    """Returns the trigger of a type for these parameters. A trigger without parameters has the name of its type; any
    other is called `unique`, a text that no other trigger has."""
    pack, _, type_name = type_ref.partition(".")
    name = unique if parameters else type_name
    return Trigger(
        uid=trigger_uid(pack, name, parameters),
        ref=f"{pack}.{name}",
        name=name,
        pack=pack,
        description=description,
        type=type_ref,
        parameters=dict(parameters),
        id=trigger_id,
    )


def with_trigger(rule: Rule, trigger_ref: str) -> Rule:
    """Returns the rule with the ref of its trigger."""
    return msgspec.structs.replace(rule, trigger=msgspec.structs.replace(rule.trigger, ref=trigger_ref))


def omitted_payload(instance_id: str, size: int) -> dict[str, Any]:
    """Returns what stands in a list in place of a payload of `size` bytes."""
    return {"omitted": f"The payload has {size} bytes. Read it at /v1/triggerinstances/{instance_id}"}


def document(record: TriggerType | Trigger | TriggerInstance | Rule | RuleType | Enforcement) -> dict[str, Any]:
    """Returns the record as the API shows it. Like StackStorm, omits attributes without a value."""
    if isinstance(record, TriggerInstance):
        reason = {"failure_reason": record.reason} if record.reason else {}
        return {
            **reason,
            "trigger": record.trigger,
            "occurrence_time": to_iso(record.occurred_at),
            "status": record.status,
            "id": record.id,
            "payload": record.payload,
        }
    attributes: dict[str, Any] = msgspec.to_builtins(record)
    shown = {key: value for key, value in attributes.items() if value is not None}
    if isinstance(record, Enforcement):
        shown["enforced_at"] = to_iso(record.enforced_at)
    if isinstance(record, Rule):
        shown.pop("enabled_in_file", None)
        del shown["events"]
        if not record.trigger.ref:
            del shown["trigger"]["ref"]
    return shown
