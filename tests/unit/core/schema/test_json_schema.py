"""Schemas of pack authors: nothing is fetched, nothing runs for ever, and errors have StackStorm's words."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft4Validator
from jsonschema.exceptions import best_match

from squall.core.schema.json_schema import (
    SchemaError,
    all_errors,
    complaint,
    draft4,
    remote_reference,
    validator,
)


@pytest.mark.parametrize(
    "reference", ["file:///etc/hostname", "http://127.0.0.1:9/x", "other.json", "https://x/y#/z", "//host/x", "ftp://a"]
)
def test_a_schema_uses_no_file_and_no_address(reference: str) -> None:
    for schema in (
        {"$ref": reference},
        {"properties": {"a": {"items": [{"$ref": reference}]}}},
        {"anyOf": [{"type": "string"}, {"patternProperties": {"x": {"$ref": reference}}}]},
    ):
        assert remote_reference(schema) == reference
        with pytest.raises(SchemaError):
            complaint(schema, {"a": [1], "x": 1})


def test_a_schema_may_use_its_own_parts_and_speak_of_references() -> None:
    local = {"definitions": {"port": {"type": "integer"}}, "properties": {"p": {"$ref": "#/definitions/port"}}}
    assert remote_reference(local) is None
    assert complaint(local, {"p": 1}) is None
    assert complaint(local, {"p": "x"}) == "'x' is not of type 'integer'"
    assert remote_reference({"properties": {"$ref": {"type": "string"}}}) is None
    assert remote_reference({"default": {"$ref": "file:///x"}, "enum": [{"$ref": "http://x"}]}) is None


def test_a_schema_that_uses_itself_for_ever_is_bounded() -> None:
    assert complaint({"$ref": "#"}, 1) in (None, "the value does not fit its schema")


@pytest.mark.parametrize("pattern", ["^(a+)+$", "(a|a)*b", "^(?=(a+)+$)", "(a|aa)+$"])
def test_a_pattern_that_explodes_is_worded_at_once(pattern: str) -> None:
    text = "a" * 60 + "!"
    assert complaint({"type": "string", "pattern": pattern}, text) == f"{text!r} does not match {pattern!r}"
    for schema in (
        {"patternProperties": {pattern: {"type": "integer"}}, "additionalProperties": False},
        {"properties": {"x": {"pattern": pattern}}},
    ):
        assert complaint(schema, {text: "b", "x": text}) is not None


CASES: list[tuple[dict[str, Any], Any]] = [
    ({"type": "string", "pattern": "^a"}, "b"),
    ({"type": "object", "additionalProperties": False, "properties": {"a": {}}}, {"a": 1, "b": 2}),
    ({"type": "object", "additionalProperties": False, "properties": {"a": {}}}, {"b": 1, "c": 2}),
    ({"patternProperties": {"^a": {}}, "additionalProperties": False}, {"b": 1}),
    ({"patternProperties": {"^a": {}, "^b": {}}, "additionalProperties": False}, {"x": 1, "y": 1}),
    ({"patternProperties": {"^a": {"type": "integer"}}}, {"ab": "x"}),
    ({"additionalProperties": {"type": "integer"}}, {"b": "x"}),
    ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "x"),
    ({"type": "array", "items": {"type": "integer"}}, [1, "x"]),
    ({"properties": {"a": {"required": ["b"]}}}, {"a": {}}),
    ({"type": "array", "uniqueItems": True}, [{"a": 1, "b": 2}, {"b": 2, "a": 1.0}]),
    ({"enum": [1, [True], {"a": None}]}, [1]),
    ({"enum": [True]}, 1),
    ({"dependencies": {"a": ["b"]}}, {"a": 1}),
    ({"not": {"type": "string"}}, "x"),
    ({"oneOf": [{"type": "string"}, {"minLength": 1}]}, "x"),
]


@pytest.mark.parametrize(("schema", "value"), CASES)
def test_the_words_are_those_of_the_library(schema: dict[str, Any], value: Any) -> None:
    error = best_match(Draft4Validator(schema).iter_errors(value))
    assert error is not None
    assert complaint(schema, value) == error.message
    paths = [list(each.absolute_path) for each in all_errors(schema, value)]
    assert paths == [list(each.absolute_path) for each in Draft4Validator(schema).iter_errors(value)]


def test_a_large_value_is_refused_without_its_text() -> None:
    assert complaint({"type": "integer"}, "x" * 1_000_000) == "the value does not fit its schema"
    assert complaint({"type": "integer"}, "x" * 10_000) == "the value does not fit its schema"


@pytest.mark.parametrize("schema", [{"type": "bool"}, {"properties": 5}, {"pattern": "["}, {"minimum": "x"}])
def test_a_wrong_schema_is_told_in_one_line(schema: dict[str, Any]) -> None:
    with pytest.raises(SchemaError) as refusal:
        validator(schema)
    assert "\n" not in str(refusal.value)


def test_marks_of_stackstorm_leave_a_plain_schema() -> None:
    schema = {
        "type": "object", "secret": True, "position": 1, "required": True, "default": {},
        "properties": {"a": {"type": "string", "required": True}, "b": {"required": False}},
    }  # fmt: skip
    assert draft4(schema) == {
        "type": "object", "properties": {"a": {"type": "string"}, "b": {}}, "required": ["a"],
    }  # fmt: skip
