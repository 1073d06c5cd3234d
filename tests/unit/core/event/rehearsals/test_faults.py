"""Faults of rules that their context shows. Nothing is said about what may be right."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.event.rehearsals.faults import Context, rule_faults
from squall.core.event.rules.reading import make_rule, make_trigger_type

PAYLOAD = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "count": {"type": ["integer", "null"]},
        "level": {"type": "string", "enum": ["low", "high"]},
        "open": {"type": "object"},
    },
    "additionalProperties": False,
}
TYPE = make_trigger_type(
    {
        "name": "event",
        "pack": "demo",
        "payload_schema": PAYLOAD,
        "parameters_schema": {"type": "object", "properties": {"url": {"type": "string", "required": True}}},
    }
)
COUNT = "the event has integer or null there"
CONTEXT = Context(frozenset({"demo"}), {"demo.event": TYPE}, {"demo.run": {"host": {}}})


def faults(criteria: dict[str, Any] | None = None, **others: Any) -> list[str]:
    body = {
        "name": "r",
        "trigger": {"type": "demo.event", "parameters": {"url": "u"}},
        "criteria": criteria or {},
        "action": {"ref": "demo.run", "parameters": {"host": "h"}},
    }
    return list(rule_faults(make_rule({**body, **others}), CONTEXT))


def test_a_rule_that_fits_has_no_fault() -> None:
    high, many = {"type": "eq", "pattern": "high"}, {"type": "gt", "pattern": 2}
    assert faults({"trigger.level": high, "trigger.count": many}) == []


def test_unknown_triggers_and_actions_of_known_packs_are_faults() -> None:
    assert faults(trigger={"type": "demo.other"}) == ['trigger.type: there is no trigger type "demo.other"']
    assert faults(action={"ref": "demo.other"}) == ['action.ref: there is no action "demo.other"']


def test_nothing_is_said_about_packs_that_are_not_known() -> None:
    assert faults(trigger={"type": "other.event"}, action={"ref": "other.run", "parameters": {"x": 1}}) == []


def test_parameters_that_the_action_or_the_trigger_does_not_take_are_faults() -> None:
    [fault] = faults(action={"ref": "demo.run", "parameters": {"hots": "h"}})
    assert fault == "action.parameters.hots: demo.run has no such parameter; it has host"
    [fault] = faults(trigger={"type": "demo.event", "parameters": {}})
    assert "url" in fault


def test_templates_in_parameters_of_triggers_are_not_judged() -> None:
    assert faults(trigger={"type": "demo.event", "parameters": {"url": "{{ st2kv.system.url }}"}}) == []


@pytest.mark.parametrize(
    ("key", "criterion", "reason"),
    [
        ("trigger.nosuch", {"type": "eq", "pattern": "x"}, 'no event has "nosuch"; it has id, count, level, open'),
        ("trigger.nosuch#2", {"type": "exists"}, 'no event has "nosuch"; it has id, count, level, open'),
        ("trigger.id", {"type": "eq", "pattern": 3}, "the event has string there, the pattern is integer"),
        ("trigger.count", {"type": "equals", "pattern": "3"}, f"{COUNT}, the pattern is string"),
        ("trigger.level", {"type": "eq", "pattern": "medium"}, "the event has one of low, high there"),
        ("trigger.count", {"type": "gt", "pattern": "3"}, f"{COUNT}, which cannot be compared with string"),
    ],
)  # fmt: skip
def test_criteria_that_no_event_can_meet_are_faults(key: str, criterion: dict[str, Any], reason: str) -> None:
    assert faults({key: criterion}) == [f"criteria.{key}: it can never be true: {reason}"]


@pytest.mark.parametrize(
    ("key", "criterion"),
    [
        ("trigger.nosuch", {"type": "nexists"}),
        ("trigger.open.anything", {"type": "eq", "pattern": "x"}),
        ("trigger.id", {"type": "eq", "pattern": "{{ st2kv.system.id }}"}),
        ("trigger.id", {"type": "neq", "pattern": 3}),
        ("trigger.count", {"type": "lt", "pattern": 2.5}),
        ("trigger['id']", {"type": "eq", "pattern": 3}),
        ("system.limit", {"type": "eq", "pattern": 3}),
    ],
)
def test_criteria_that_may_hold_are_no_faults(key: str, criterion: dict[str, Any]) -> None:
    assert faults({key: criterion}) == []
