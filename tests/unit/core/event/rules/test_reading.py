"""Rules and trigger types as they are written: what they become, and which faults name which fields."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from squall.core.content.metadata_words import MetadataError
from squall.core.errors import InvalidError
from squall.core.event.rules.reading import (
    check_parameters,
    check_payload,
    make_rule,
    make_trigger_type,
    read_rule,
    read_trigger_type,
)
from squall.core.event.rules.records import document

# The request and the answer that a StackStorm server gave, without times.
BODY: dict[str, Any] = {
    "name": "r1",
    "pack": "peer",
    "description": "d",
    "enabled": True,
    "trigger": {"type": "core.st2.webhook", "parameters": {"url": "peer/r1"}},
    "criteria": {"trigger.body.n": {"type": "gt", "pattern": 5}},
    "action": {"ref": "core.echo", "parameters": {"message": "n={{trigger.body.n}} {{trigger.headers}}"}},
    "tags": [{"name": "t", "value": "v"}],
}
TYPE: dict[str, Any] = {
    "name": "tt1",
    "pack": "peer",
    "description": "d",
    "payload_schema": {"type": "object", "properties": {"n": {"type": "integer"}}},
    "parameters_schema": {},
}


def test_a_rule_has_the_document_of_stackstorm() -> None:
    assert document(make_rule(BODY, "0" * 24)) == {
        "tags": [{"name": "t", "value": "v"}],
        "uid": "rule:peer:r1",
        "metadata_file": "",
        "name": "r1",
        "ref": "peer.r1",
        "description": "d",
        "pack": "peer",
        "type": {"ref": "standard", "parameters": {}},
        "trigger": {"type": "core.st2.webhook", "parameters": {"url": "peer/r1"}},
        "criteria": {"trigger.body.n": {"type": "gt", "pattern": 5}},
        "action": BODY["action"],
        "context": {},
        "enabled": True,
        "id": "0" * 24,
    }


def test_a_rule_has_defaults() -> None:
    rule = make_rule(
        {"name": "x", "pack": None, "trigger": {"type": "core.st2.inquiry"}, "action": {"ref": "core.noop"}}
    )
    assert (rule.ref, rule.enabled, rule.criteria, rule.description) == ("default.x", False, {}, None)
    assert rule.trigger.ref == "core.st2.inquiry"
    assert document(rule)["action"] == {"ref": "core.noop", "parameters": {}}
    assert "description" not in document(rule)


def test_the_document_of_a_rule_can_be_sent_back() -> None:
    rule = make_rule(BODY, "0" * 24)
    assert make_rule(document(rule), "0" * 24) == rule


def test_attributes_that_are_null_have_their_defaults() -> None:
    nulls = dict.fromkeys(("pack", "description", "enabled", "criteria", "type", "tags", "context", "throttle", "hold"))
    rule = make_rule({**BODY, **nulls, "trigger": {"type": "a.b", "parameters": None}})
    assert (rule.pack, rule.enabled, rule.criteria, rule.tags, rule.hold) == ("default", False, {}, [], None)


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"trigger": None}, "", "'trigger' is a required property"),
        ({"name": ""}, "", "'name' is a required property"),
        ({"action": None}, "", "'action' is a required property"),
        ({"action": {"parameters": {}}}, "action", "'ref' is a required property"),
        ({"trigger": {"parameters": {}}}, "trigger", "'type' is a required property"),
        ({"name": 7}, "name", "7 is not a text; quote it"),
        ({"name": "a\nb"}, "name", "no control characters"),
        ({"name": "x" * 256}, "name", "at most 255 characters"),
        ({"pack": "Big Pack"}, "pack", "lower case letters, digits"),
        ({"enabled": "yes"}, "enabled", "'yes' is not true or false"),
        ({"trigger": "core.st2.webhook"}, "trigger", "is not a mapping"),
        ({"trigger": {"type": ["a.b"]}}, "trigger.type", "is not a text"),
        ({"trigger": {"type": "webhook"}}, "trigger.type", "write pack.name, such as core.st2.webhook"),
        ({"trigger": {"type": "a.b", "parameters": []}}, "trigger.parameters", "is not a mapping"),
        ({"action": {"ref": "a.b", "parameters": "x"}}, "action.parameters", "'x' is not a mapping"),
        ({"action": {"ref": "a.b", "params": {}}}, "action.params", "this word is not known here"),
        ({"action": {"ref": "a.b", "paramters": {}}}, "action.paramters", 'did you mean "parameters"?'),
        ({"critera": {}}, "critera", 'did you mean "criteria"?'),
        ({"bogus": 1}, "bogus", "this word is not known here"),
        ({"criteria": []}, "criteria", "[] is not a mapping"),
        ({"type": "backstop"}, "type", "'backstop' is not a mapping"),
        ({"type": {"ref": "backstopp"}}, "type.ref", 'none of standard, backstop; did you mean "backstop"?'),
        ({"type": {}}, "type", "'ref' is a required property"),
        ({"tags": [{"key": "x"}]}, "tags.0.key", "this word is not known here"),
        ({"tags": ["x"]}, "tags.0", "'x' is not a mapping"),
        ({"context": []}, "context", "[] is not a mapping"),
        (
            {"criteria": {"trigger.x": {"type": "exists", "pattern": {1, 2}.__class__}}},
            "criteria",
            "not possible in JSON",
        ),
        ({"throttle": {"mode": "first"}}, "throttle", "'within' is a required property"),
        ({"throttle": {"within": "soon"}}, "throttle.within", "write seconds, or a text such as 5m or 1h30m"),
        ({"throttle": {"within": "2026-01-31"}}, "throttle.within", "no span of time"),
        ({"throttle": {"within": -1}}, "throttle.within", "no span of time"),
        ({"throttle": {"within": True}}, "throttle.within", "True is not"),
        ({"throttle": {"within": "5m", "mode": "frist"}}, "throttle.mode", "none of first, last, count"),
        ({"throttle": {"within": "5m", "by": "a["}}, "throttle.by", "the path 'a[' is wrong"),
        ({"throttle": {"within": "5m", "by": [5]}}, "throttle.by", "5 is not a text"),
        ({"correlate": {"within": "5m"}}, "correlate", "exactly one of all, any, sequence"),
        ({"correlate": {"within": "5m", "all": ["a"], "any": ["b"]}}, "correlate", "exactly one of all, any, sequence"),
        ({"absent": {"within": 0}}, "absent.within", "no span of time"),
        ({"absent": {"within": "5m", "by": "x"}}, "absent.by", "this word is not known here"),
        ({"hold": "yes"}, "hold", "'yes' is not true or false"),
    ],
)
def test_a_fault_in_a_rule_names_its_field(changes: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(InvalidError) as error:
        make_rule(BODY | changes)
    assert isinstance(error.value, MetadataError)
    assert ".".join(error.value.keys) == field
    assert reason in str(error.value)


@pytest.mark.parametrize("body", [None, [], "x", 5])
def test_a_rule_is_a_mapping(body: Any) -> None:
    with pytest.raises(InvalidError, match="expected a mapping with name, trigger and action"):
        make_rule(body)


def test_own_keys_of_squall_are_kept_as_they_are_written() -> None:
    own = {
        "throttle": {"within": "5m", "by": ["trigger.body.host"], "mode": "count", "count": 3},
        "correlate": {"sequence": ["a.b", "c.d"], "within": 60, "by": "trigger.host"},
        "hold": True,
    }
    shown = document(make_rule(BODY | own))
    assert {key: shown[key] for key in own} == own
    assert document(make_rule(BODY | {"absent": {"within": "1h30m"}}))["absent"] == {"within": "1h30m"}


@pytest.mark.parametrize(
    "changes",
    [
        {"trigger": {"type": "a.b", "criteria": {"trigger.x": {"type": "eq"}}}},
        {"trigger": {"type": "a.b", "pack": "a"}},
        {"trigger": {"type": "a.b", "ref": "a.old"}},
        {"type": {"ref": "standard", "parameters": None}},
        {"name": "Setup org, admin, VDC, vdc Network"},
        {"action": {"ref": "check_procs"}},
        {"action": {"ref": "a.b", "parameter": {}, "parameters": {}}},
        {"tags": [{"name": "t", "value": "v", "more": 1}]},
        {"criteria": {"trigger.body.date": {"type": "eq", "pattern": datetime.date(2026, 1, 31)}}},
    ],
)
def test_the_rules_of_public_packs_can_be_read(changes: dict[str, Any]) -> None:
    rule = read_rule(BODY | changes, "peer", "rules/r1.yaml")
    assert rule.metadata_file == "rules/r1.yaml"


def test_a_rule_in_a_file_belongs_to_its_pack() -> None:
    with pytest.raises(MetadataError, match='the file is in pack "other", but says "peer"'):
        read_rule(BODY, "other", "rules/r1.yaml")
    body = {key: value for key, value in BODY.items() if key != "pack"}
    assert read_rule(body, "other", "rules/r1.yaml").ref == "other.r1"


def test_a_trigger_type_has_the_document_of_stackstorm() -> None:
    assert document(make_trigger_type(TYPE, "0" * 24)) == {
        **TYPE, "tags": [], "uid": "trigger_type:peer:tt1", "ref": "peer.tt1", "id": "0" * 24,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"name": None}, "", "'name' is a required property"),
        ({"pack": None}, "", "'pack' is a required property"),
        ({"payload_schema": []}, "payload_schema", "[] is not a mapping"),
        ({"payload_schema": {"type": "nosuch"}}, "payload_schema", "the schema is wrong"),
        ({"parameters_schema": {"$ref": "http://x/"}}, "parameters_schema", "may only name a part of the schema"),
        ({"payload_info": []}, "payload_info", "this word is not known here"),
    ],
)
def test_a_fault_in_a_trigger_type_names_its_field(changes: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(MetadataError) as error:
        make_trigger_type(TYPE | changes)
    assert ".".join(error.value.keys) == field
    assert reason in str(error.value)


def test_the_trigger_types_of_public_packs_can_be_read() -> None:
    written = {"name": "container_tracker.started", "payload_info": ["container_info"], "payload_schema": None}
    trigger_type = read_trigger_type(written, "docker")
    assert trigger_type.ref == "docker.container_tracker.started"
    assert read_trigger_type({**TYPE, "name": "x"}, "peer", "triggers/x.yaml").metadata_file == "triggers/x.yaml"


def test_parameters_and_payloads_fit_their_trigger_type() -> None:
    trigger_type = make_trigger_type(
        TYPE
        | {
            "parameters_schema": {
                "type": "object",
                "properties": {"url": {"type": "string", "required": True}},
                "additionalProperties": False,
            }
        }
    )
    check_parameters(trigger_type, {"url": "x"})
    check_payload(trigger_type, {"n": None})
    check_payload(trigger_type, {"n": 1, "more": []})
    with pytest.raises(MetadataError, match=r"^trigger.parameters: 'url' is a required property"):
        check_parameters(trigger_type, {})
    with pytest.raises(MetadataError, match="'x' was unexpected"):
        check_parameters(trigger_type, {"url": "a", "x": 1})
    with pytest.raises(MetadataError, match=r"^payload.*'abc' is not of type 'integer'"):
        check_payload(trigger_type, {"n": "abc"})


def test_a_type_without_schemas_takes_everything() -> None:
    trigger_type = make_trigger_type({"name": "free", "pack": "peer"})
    check_parameters(trigger_type, {"a": 1})
    check_payload(trigger_type, [1, 2])
