"""Schemas as the API shows them: no default of a secret is in them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.schema_shapes import HIDDEN, MASK, NEWER, SHAPES, Shape

from squall.core.content.shown import (
    action_document,
    runner_document,
    shown_attributes,
    shown_parameters,
    shown_schema,
)
from squall.testing.samples import sample_action, sample_runner

ALL = {**SHAPES, **NEWER}


@pytest.mark.parametrize("word", ["default", "const", "example"])
@pytest.mark.parametrize("shape", ALL.values(), ids=ALL)
def test_a_default_is_shown_as_a_value_would_be(shape: Shape, word: str) -> None:
    shown = shown_schema({**shape.schema, word: shape.value})
    assert HIDDEN not in json.dumps(shown)
    assert shown[word] in (shape.masked, MASK)
    assert {**shown, word: shape.value} == {**shape.schema, word: shape.value}


@pytest.mark.parametrize("shape", ALL.values(), ids=ALL)
def test_a_default_beside_each_mark_is_masked(shape: Shape) -> None:
    """Also where the mark stands in a branch or a definition."""
    text = json.dumps(shape.schema).replace('"secret": true', f'"secret": true, "default": "{HIDDEN}"')
    assert HIDDEN not in json.dumps(shown_schema(json.loads(text)))


@pytest.mark.parametrize(
    "schema",
    [
        {"secret": True, "properties": {"a": {"default": HIDDEN}}},
        {"secret": True, "type": "array", "items": {"default": HIDDEN}},
        {"secret": True, "anyOf": [{"default": HIDDEN}]},
        {"anyOf": [{"secret": True}, {"default": HIDDEN}]},
        {"properties": {"wo": {"default": HIDDEN}}, "patternProperties": {"^w": {"secret": True}}},
        {"properties": {"a": {"$ref": "#/definitions/a", "secret": True}}, "definitions": {"a": {"default": HIDDEN}}},
        {"allOf": [{"properties": {"a": {"secret": True}}}, {"properties": {"a": {"default": HIDDEN}}}]},
        {"properties": {"default": {"secret": True, "default": HIDDEN}}},
        {"secret": True, "examples": [HIDDEN, {"a": HIDDEN}]},
        {"secret": True, "default": {"a": [HIDDEN]}},
    ],
)
def test_a_default_that_a_mark_elsewhere_makes_secret_is_masked(schema: dict[str, Any]) -> None:
    assert HIDDEN not in json.dumps(shown_schema(schema))
    assert HIDDEN not in json.dumps(shown_parameters({"p": schema}))
    assert HIDDEN not in json.dumps(shown_attributes({"p": {"properties": {"q": schema}}}))


def test_what_is_not_secret_is_shown_and_null_stays_null() -> None:
    schema = {
        "properties": {"user": {"default": "u"}, "word": {"secret": True, "default": None}},
        "default": {"user": "v", "word": None},
        "enum": [1],
    }
    assert shown_schema(schema) == schema
    assert shown_parameters({"a": {"default": 5}, "b": "no schema"}) == {"a": {"default": 5}, "b": "no schema"}


def test_a_default_that_an_action_gives_to_a_secret_parameter_of_its_runner_is_masked() -> None:
    runner = sample_runner(runner_parameters={"password": {"secret": True, "default": "of-runner"}, "cmd": {}})
    action = sample_action(parameters={"password": {"default": "of-action"}, "cmd": {"default": "ls"}})
    shown = action_document(action, runner)
    assert shown["parameters"] == {"password": {"default": MASK}, "cmd": {"default": "ls"}}
    assert runner_document(runner)["runner_parameters"]["password"] == {"secret": True, "default": MASK}
    assert action.parameters["password"] == {"default": "of-action"}


@pytest.mark.parametrize("as_properties", [True, False])
def test_output_schemas_of_both_forms_are_masked(as_properties: bool) -> None:
    schema: dict[str, Any] = {"word": {"secret": True, "default": HIDDEN}, "user": {"default": "u"}}
    whole = schema if as_properties else {"type": "object", "properties": schema}
    shown = action_document(sample_action(output_schema=whole), None)["output_schema"]
    assert HIDDEN not in json.dumps(shown)
    assert '"u"' in json.dumps(shown)
