"""Schemas and values whose check would cost more than it seems."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.schema.expansion import ExpansionError, check_references, check_work, counted_patterns
from squall.core.schema.json_schema import SchemaError, complaint, validator

TREE = {"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}, "value": {"type": "integer"}}}
"""A schema that refers to itself, once for each part of a value."""


def doubling(word: str, levels: int) -> dict[str, Any]:
    """A schema whose parts each refer twice to the next one."""
    parts: dict[str, Any] = {f"a{at}": {word: [{"$ref": f"#/definitions/a{at + 1}"}] * 2} for at in range(levels)}
    return {"definitions": {**parts, f"a{levels}": {"type": "integer"}}, "$ref": "#/definitions/a0"}


def nested(levels: int, name: str = "left") -> dict[str, Any]:
    value: dict[str, Any] = {"value": 1}
    for _ in range(levels):
        value = {name: value}
    return value


@pytest.mark.parametrize("word", ["allOf", "anyOf", "oneOf"])
def test_a_schema_whose_references_double_at_each_level_is_refused(word: str) -> None:
    assert validator(doubling(word, 8)).is_valid([1] * 10_000) is False
    assert complaint(doubling("allOf", 17), 1) is None
    with pytest.raises(SchemaError, match="too many steps"):
        complaint(
            {"items": {"$ref": "#/definitions/a0"}, **doubling(word, 14), "$ref": "#/definitions/a0"}, [1] * 10_000
        )
    with pytest.raises(SchemaError, match="parts if each"):
        validator(doubling(word, 60))


def test_a_schema_that_refers_to_itself_checks_values_of_any_size() -> None:
    assert check_references(TREE).recursive
    assert complaint(TREE, nested(150)) is None
    assert complaint(TREE, {"left": {"right": {"value": "x"}}}) == "'x' is not of type 'integer'"
    many = {"items": {"$ref": "#"}}
    assert complaint(many, [[[]] * 100] * 100) is None


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"left": {"$ref": "#"}}, "allOf": [{"properties": {"left": {"$ref": "#"}}}]},
        {"anyOf": [{"properties": {"left": {"$ref": "#"}}}, {"patternProperties": {"l": {"$ref": "#"}}}]},
        {"additionalProperties": {"allOf": [{"$ref": "#"}, {"not": {"$ref": "#"}}]}},
        {"dependencies": {"a": {"$ref": "#"}}, "properties": {"left": {"oneOf": [{"$ref": "#"}, {"$ref": "#"}]}}},
    ],
)
def test_a_value_that_would_be_checked_too_often_is_refused(schema: dict[str, Any]) -> None:
    expansion = check_references(schema)
    check_work(schema, expansion, nested(3))
    with pytest.raises(ExpansionError, match="too many steps"):
        check_work(schema, expansion, nested(60))
    with pytest.raises(SchemaError, match="too many steps"):
        complaint(schema, nested(60))


def test_a_part_that_applies_itself_to_the_same_value_ends() -> None:
    for word in ("allOf", "anyOf", "oneOf"):
        complaint({word: [{"$ref": "#"}, {"$ref": "#"}]}, 1)
    complaint({"not": {"$ref": "#"}}, 1)


@pytest.mark.parametrize("reference", ["#name", "#/definitions/a%20b", "#%2Fdefinitions"])
def test_a_reference_that_is_no_plain_path_is_refused(reference: str) -> None:
    with pytest.raises(SchemaError, match="must be"):
        validator({"definitions": {"a b": {}}, "properties": {"x": {"$ref": reference}}})


def test_a_part_with_an_id_cannot_change_what_references_name() -> None:
    with pytest.raises(SchemaError, match='"id"'):
        validator({"properties": {"x": {"id": "http://a/", "$ref": "#"}}})
    validator({"id": "http://a/", "properties": {"id": {"$ref": "#/definitions/d"}}, "definitions": {"d": {}}})
    validator({"properties": {"x": {"default": {"id": "a", "$ref": "b"}, "enum": [{"$ref": 1}]}}})


def test_words_of_values_are_no_references() -> None:
    assert not check_references({"properties": {"$ref": {"type": "string"}}, "default": {"$ref": "#"}}).needs_care


def test_patterns_that_count_share_one_amount_of_memory() -> None:
    one = {"pattern": r"^.{1,4000}$"}
    assert counted_patterns({"allOf": [one] * 3, "patternProperties": {"a{2}": {"pattern": "b"}}}) == 4
    assert complaint(one, "a") is None
    assert complaint({"allOf": [{"pattern": rf"^\w{{1,{at}}}$"} for at in range(60, 100)]}, "a" * 50) is None
    with pytest.raises(SchemaError):
        validator({"allOf": [{"pattern": rf"(?=a)\w{{{at}}}"} for at in range(60, 100)]})
