"""What listeners are told of triggers, events and rules."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from squall.core.event.rules.changes import CREATE, DELETE, change_document, change_of, instance_document
from squall.core.event.rules.reading import make_rule
from squall.core.event.rules.records import Trigger, TriggerInstance

RULE = make_rule({"name": "r", "trigger": {"type": "a.b"}, "action": {"ref": "core.noop"}}, "6" * 24)


def instance(payload: Any) -> TriggerInstance:
    return TriggerInstance(trigger="a.b", occurred_at=5, id="7" * 24, payload=payload)


def test_a_change_names_the_kind_the_resource_and_the_time() -> None:
    change = change_of(RULE, CREATE, 9)
    assert (change.kind, change.name, change.resource, change.at) == ("rule", "st2.rule__create", RULE.id, 9)
    trigger = Trigger(uid="u", ref="a.b", name="b", pack="a", type="a.b", id="8" * 24)
    assert change_of(trigger, DELETE, 9).name == "st2.trigger__delete"


def test_the_document_is_that_of_the_api() -> None:
    document = msgspec.json.decode(change_document(RULE))
    assert (document["ref"], document["trigger"]["type"]) == ("default.r", "a.b")
    assert "enabled_in_file" not in document


def test_an_instance_has_no_document_of_its_own() -> None:
    assert change_document(instance({"n": 1})) == b""
    assert change_of(instance({}), CREATE, 9).status == "pending"


@pytest.mark.parametrize(("payload", "is_told"), [({"n": 1}, True), ({"n": "x" * 20_000}, False)])
def test_a_large_payload_is_left_out(payload: Any, is_told: bool) -> None:
    document = msgspec.json.decode(instance_document(instance(payload), "processed"))
    assert ("payload" in document) == is_told
    assert (document["id"], document["status"]) == ("7" * 24, "processed")


def test_a_payload_that_nests_without_end_is_left_out() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert "payload" not in msgspec.json.decode(instance_document(instance(deep), ""))
