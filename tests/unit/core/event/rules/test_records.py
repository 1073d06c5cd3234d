"""The documents of triggers and rules: those that a StackStorm server has shown."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.event.rules.reading import make_rule
from squall.core.event.rules.records import (
    FAILED,
    INSTANCE_STATUSES,
    PROCESSED,
    RULE_TYPES,
    Enforcement,
    TriggerInstance,
    document,
    identity,
    make_trigger,
    with_trigger,
)

ID = "6b049604995659ea5797b1dc"


@pytest.mark.parametrize(
    ("type_ref", "parameters", "uid", "name"),
    [
        ("core.st2.webhook", {"url": "peer/r1"}, "trigger:core:u1:439e8151195d26c9f2f30a25bea804ea", "u1"),
        (
            "core.st2.IntervalTimer",
            {"unit": "seconds", "delta": 2},
            "trigger:core:u1:017cbb4b4df1963ffb1e8998592cf26c",
            "u1",
        ),
        ("peer.tt1", {}, "trigger:peer:tt1:99914b932bd37a50b983c5e7c90ae93b", "tt1"),
    ],
)
def test_a_trigger_has_the_document_of_stackstorm(type_ref: str, parameters: Any, uid: str, name: str) -> None:
    pack = type_ref.partition(".")[0]
    assert document(make_trigger(type_ref, parameters, ID, "u1")) == {
        "uid": uid,
        "ref": f"{pack}.{name}",
        "name": name,
        "pack": pack,
        "type": type_ref,
        "parameters": parameters,
        "id": ID,
    }


def test_an_instance_has_the_document_of_stackstorm() -> None:
    instance = TriggerInstance(
        trigger="peer.tt1", occurred_at=1_795_462_660_781_000, status=PROCESSED, id=ID, payload={"n": None}
    )
    assert document(instance) == {
        "trigger": "peer.tt1",
        "occurrence_time": "2026-11-23T19:37:40.781000Z",
        "status": "processed",
        "id": ID,
        "payload": {"n": None},
    }
    assert TriggerInstance(trigger="a.b", occurred_at=0, id=ID, payload={}).status in INSTANCE_STATUSES


def test_an_enforcement_has_the_document_of_stackstorm() -> None:
    rule = make_rule({"name": "r1", "pack": "peer", "trigger": {"type": "a.b"}, "action": {"ref": "core.noop"}}, ID)
    fired = Enforcement(
        trigger_instance_id="1" * 24,
        execution_id="2" * 24,
        rule=identity(rule),
        enforced_at=1_795_464_432_414_813,
        id=ID,
    )
    shown = {
        "trigger_instance_id": "1" * 24,
        "execution_id": "2" * 24,
        "rule": {"ref": "peer.r1", "id": ID, "uid": "rule:peer:r1"},
        "enforced_at": "2026-11-23T20:07:12.414813Z",
        "status": "succeeded",
        "id": ID,
    }
    assert document(fired) == shown
    failed = Enforcement(
        trigger_instance_id="1" * 24, rule=identity(rule), enforced_at=0, status=FAILED, failure_reason="no", id=ID
    )
    assert document(failed).keys() == {*shown, "failure_reason"} - {"execution_id"}


def test_a_rule_gets_the_ref_of_its_trigger() -> None:
    body = {"name": "r", "trigger": {"type": "a.b", "parameters": {"x": 1}}, "action": {"ref": "core.noop"}}
    rule = make_rule(body)
    assert "ref" not in document(rule)["trigger"]
    assert document(with_trigger(rule, "a.u1"))["trigger"] == {"type": "a.b", "parameters": {"x": 1}, "ref": "a.u1"}


def test_there_are_two_types_of_rules() -> None:
    assert list(RULE_TYPES) == ["standard", "backstop"]
    assert all(len(kind.id) == 24 and document(kind)["enabled"] for kind in RULE_TYPES.values())
