"""The walk over a schema beside a value: what is secret, and which defaults there are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.schema_shapes import HIDDEN, NEWER, SHAPES, Shape

from squall.core.access.secret import Sealed, masked, replace_sealed, to_stored
from squall.core.schema.walk import (
    has_secrets,
    mapped,
    mask_secrets,
    place_of,
    resolved,
    seal_secrets,
    texts_in,
    with_defaults,
)

ALL = {**SHAPES, **NEWER}
MOVABLE = {
    name: shape
    for name, shape in ALL.items()
    if "#/properties" not in json.dumps(shape.schema) and shape.schema.keys().isdisjoint({"$ref", "$dynamicRef"})
}
"""Those whose references are about definitions that can be moved with them."""
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "wo"]), inner, max_size=3),
    max_leaves=8,
)


def envelope(value: Any) -> str:
    return json.dumps(value).encode().hex()


def opened(text: str) -> Any:
    return json.loads(bytes.fromhex(text))


@pytest.mark.parametrize("shape", ALL.values(), ids=ALL)
def test_what_a_schema_marks_is_masked_and_sealed_wherever_the_schema_says_so(shape: Shape) -> None:
    assert mask_secrets(shape.value, place_of(shape.schema)) == shape.masked
    sealed = seal_secrets(shape.value, shape.schema, envelope)
    assert masked(sealed) == shape.masked
    assert HIDDEN not in json.dumps(to_stored(sealed))
    assert replace_sealed(sealed, opened) == shape.value
    assert has_secrets(shape.schema)


@pytest.mark.parametrize("shape", MOVABLE.values(), ids=MOVABLE)
def test_a_secret_is_found_below_an_object_an_array_and_a_reference(shape: Shape) -> None:
    definitions: dict[str, Any] = {key: shape.schema[key] for key in ("definitions", "$defs") if key in shape.schema}
    places: list[tuple[dict[str, Any], Any, Any]] = [
        ({"properties": {"x": shape.schema}}, {"x": shape.value}, {"x": shape.masked}),
        ({"items": shape.schema}, [shape.value], [shape.masked]),
        ({"allOf": [{}, shape.schema]}, shape.value, shape.masked),
        ({"properties": {"x": {"$ref": "#/definitions/x"}}}, {"x": shape.value}, {"x": shape.masked}),
    ]
    for schema, value, shown in places:
        named = {**definitions.get("definitions", {}), "x": shape.schema}
        whole: dict[str, Any] = {**schema, **definitions, "definitions": named}
        assert mask_secrets(value, place_of(whole)) == shown


@pytest.mark.parametrize("shape", ALL.values(), ids=ALL)
def test_the_same_schema_without_its_marks_hides_nothing(shape: Shape) -> None:
    plain = json.loads(json.dumps(shape.schema).replace('"secret": true', '"secret": false'))
    is_lost = any(word in json.dumps(plain) for word in ("missing", "localhost", "$dynamicRef"))
    assert has_secrets(plain) is is_lost
    if not is_lost:
        assert mask_secrets(shape.value, place_of(plain)) == shape.value


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"secret": {"type": "string"}}},
        {"default": {"secret": True}, "enum": [{"secret": True}], "const": {"secret": True}},
        {"definitions": {"unused": {"secret": True}}},
        {"patternProperties": {"^x": {"secret": True}}, "secret": False},
        {"items": [{"type": "string"}], "additionalItems": False},
        {"additionalProperties": True},
        {"$ref": "#"},
        {"allOf": [{"$ref": "#/allOf/0"}]},
    ],
)
def test_what_only_looks_like_a_mark_hides_nothing(schema: Any) -> None:
    value = {"secret": "open", "a": ["open"]}
    assert mask_secrets(value, place_of(schema)) == value


@given(JSON, st.sampled_from([None, {}, True, "x", [], {"properties": None}, {"items": None}, {"allOf": 1}]))
def test_a_schema_that_is_none_hides_nothing(value: Any, schema: Any) -> None:
    assert mask_secrets(value, place_of(schema)) == value


@given(JSON, st.sampled_from(list(ALL.values())))
def test_masking_a_value_that_does_not_fit_the_schema_ends(value: Any, shape: Shape) -> None:
    place = place_of(shape.schema)
    assert mask_secrets(mask_secrets(value, place), place) == mask_secrets(value, place)
    with_defaults(value, place, nulls=True, creates=True)


def test_null_is_no_secret_and_an_envelope_is_a_leaf() -> None:
    place = place_of({"properties": {"a": {"secret": True}, "b": {"additionalProperties": {"secret": True}}}})
    assert mask_secrets({"a": None, "b": Sealed("x")}, place) == {"a": None, "b": Sealed("x")}


def test_leaves_that_are_not_secret_can_be_changed_on_the_same_way() -> None:
    place = place_of({"properties": {"a": {"secret": True}}})
    assert mapped({"a": 1, "b": [2, None]}, place, lambda _: "s", str) == {"a": "s", "b": ["2", "None"]}


@pytest.mark.parametrize(
    ("reference", "target"),
    [
        ("#", {"a": [{"b/c~": {"x": 1}}], "t": True}),
        ("#/a/0/b~1c~0", {"x": 1}),
        ("#/t", {}),
        ("#/a/1", None),
        ("#/a/x", None),
        ("#/a/0/b%2Fc~0", None),
        ("#a", None),
        ("other#/a", None),
        (5, None),
    ],
)
def test_a_reference_is_resolved_in_its_own_document_only(reference: Any, target: Any) -> None:
    assert resolved(reference, {"a": [{"b/c~": {"x": 1}}], "t": True}) == target


def test_the_texts_in_a_secret_are_found_at_any_depth() -> None:
    assert list(texts_in({"a": ["x", 5, None, True], "b": {"c": 0.5}})) == ["x", "5", "0.5"]


PORT = {"type": "object", "properties": {"port": {"default": 1}}}


@pytest.mark.parametrize(
    ("schema", "value", "filled"),
    [
        (PORT, {}, {"port": 1}),
        (PORT, {"port": None}, {"port": None}),
        ({"properties": {"a": PORT}}, {"a": {}}, {"a": {"port": 1}}),
        ({"additionalProperties": PORT}, {"a": {"host": "h"}}, {"a": {"host": "h", "port": 1}}),
        ({"patternProperties": {"^a": PORT}}, {"a": {}, "b": {}}, {"a": {"port": 1}, "b": {}}),
        ({"patternProperties": {"^(?=a)": PORT}}, {"a": {}}, {"a": {}}),
        ({"items": PORT}, [{}, {"port": 2}, 5], [{"port": 1}, {"port": 2}, 5]),
        ({"items": [{}, PORT]}, [{}, {}, {}], [{}, {"port": 1}, {}]),
        ({"items": [{}], "additionalItems": PORT}, [{}, {}, {}], [{}, {"port": 1}, {"port": 1}]),
        ({"prefixItems": [{}], "items": PORT}, [{}, {}], [{}, {"port": 1}]),
        ({"allOf": [PORT, {"properties": {"user": {"default": "u"}}}]}, {}, {"port": 1, "user": "u"}),
        ({"$ref": "#/definitions/port", "definitions": {"port": PORT}}, {}, {"port": 1}),
        ({"properties": {"a": {"default": {}, **PORT}}}, {}, {"a": {"port": 1}}),
        ({"anyOf": [PORT]}, {}, {}),
        (PORT, "text", "text"),
    ],
)
def test_defaults_are_filled_in_wherever_the_schema_applies_for_certain(schema: Any, value: Any, filled: Any) -> None:
    for creates in (False, True):
        assert with_defaults(value, place_of(schema), nulls=False, creates=creates) == filled


def test_missing_objects_are_created_and_null_defaults_count_only_if_that_is_wanted() -> None:
    place = place_of({"properties": {"a": PORT, "b": {"default": None}, "c": {"properties": {"d": PORT}}}})
    assert with_defaults({}, place, nulls=False, creates=False) == {}
    assert with_defaults({}, place, nulls=True, creates=False) == {"b": None}
    assert with_defaults({}, place, nulls=True, creates=True) == {
        "a": {"port": 1},
        "b": None,
        "c": {"d": {"port": 1}},
    }


@pytest.mark.parametrize("default", [{}, {"default": {}}])
def test_defaults_of_a_schema_that_refers_to_itself_end(default: dict[str, Any]) -> None:
    schema = {"properties": {"port": {"default": 1}, "below": {"$ref": "#", **default}}}
    filled = with_defaults({"below": {"below": {}}}, place_of(schema), nulls=False, creates=True)
    assert filled["port"] == filled["below"]["below"]["port"] == 1
