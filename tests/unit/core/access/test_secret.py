"""Secret values: never shown, found at any depth, masked at any depth."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from squall.core.access.secret import MASK, SEALED, Secret, is_sealed, masked, replace_sealed
from squall.core.schema.walk import seal_secrets

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def seal(value: Any) -> str:
    return json.dumps(value)[::-1]


def unseal(envelope: str) -> Any:
    return json.loads(envelope[::-1])


def test_a_secret_is_printed_as_its_mask() -> None:
    secret = Secret("hunter2")
    texts = [
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret!r:>20}",
        repr([secret]),
        str({"a": secret}),
    ]
    assert all("hunter2" not in text and MASK in text for text in texts)


@pytest.mark.parametrize("encode", [pickle.dumps, json.dumps, msgspec.json.encode, copy.copy, copy.deepcopy])
def test_a_secret_is_not_to_be_encoded(encode: Any) -> None:
    with pytest.raises(TypeError):
        encode({"a": Secret("hunter2")}["a"])
    with pytest.raises(TypeError):
        encode([Secret("hunter2")]) if encode is not copy.copy else encode(Secret("hunter2"))


def test_a_secret_is_revealed_only_when_asked() -> None:
    assert Secret({"a": 1}).reveal() == {"a": 1}
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    with pytest.raises(TypeError):
        hash(Secret("a"))
    with pytest.raises(AttributeError):
        Secret("a").__dict__  # noqa: B018 - its attributes are not to be listed


@pytest.mark.parametrize("value", [{}, {SEALED: 1}, {SEALED: "x", "a": 1}, "x", None, [SEALED], {"a": {SEALED: "x"}}])
def test_what_only_looks_like_an_envelope_is_none(value: Any) -> None:
    assert not is_sealed(value)


SCHEMA = {
    "type": "object",
    "properties": {
        "password": {"type": "string", "secret": True},
        "user": {"type": "string"},
        "keys": {"type": "array", "items": {"type": "string", "secret": True}},
        "hosts": {"type": "array", "items": {"type": "object", "properties": {"token": {"secret": True}}}},
        "pair": {"type": "array", "items": [{"type": "string"}, {"secret": True}]},
        "whole": {"type": "object", "secret": True},
    },
    "additionalProperties": {"type": "string", "secret": True},
}
VALUE = {
    "password": "hunter2",
    "user": "ada",
    "keys": ["k1", "k2"],
    "hosts": [{"name": "a", "token": 5}, {"name": "b"}],
    "pair": ["shown", "hidden", "beyond"],
    "whole": {"a": {"b": [1]}},
    "other": "extra",
}


def test_what_a_schema_marks_secret_is_sealed_at_any_depth() -> None:
    sealed = seal_secrets(VALUE, SCHEMA, seal)
    assert masked(sealed) == {
        "password": MASK,
        "user": "ada",
        "keys": [MASK, MASK],
        "hosts": [{"name": "a", "token": MASK}, {"name": "b"}],
        "pair": ["shown", MASK, "beyond"],
        "whole": MASK,
        "other": MASK,
    }
    assert replace_sealed(sealed, unseal) == VALUE


@pytest.mark.parametrize("word", ["hunter2", "k1", "hidden", "extra"])
def test_nothing_sealed_is_left_in_plain_text(word: str) -> None:
    assert word in json.dumps(VALUE)
    assert word not in json.dumps(seal_secrets(VALUE, SCHEMA, seal))


@given(JSON)
def test_a_secret_of_any_value_comes_back_and_null_stays_null(value: Any) -> None:
    sealed = seal_secrets(value, {"secret": True}, seal)
    assert sealed is None if value is None else is_sealed(sealed)
    assert replace_sealed(sealed, unseal) == value
    assert masked(sealed) == (None if value is None else MASK)


@given(JSON, st.sampled_from([None, {}, True, "x", {"type": "string"}, {"properties": None}, {"items": None}]))
def test_what_no_schema_marks_stays_as_it_is(value: Any, schema: Any) -> None:
    assert seal_secrets(value, schema, seal) == value
    assert masked(value) == value


@given(JSON)
def test_sealing_and_masking_change_nothing_they_are_given(value: Any) -> None:
    before = copy.deepcopy(value)
    seal_secrets(value, {"additionalProperties": {"secret": True}, "items": {"secret": True}}, seal)
    masked(value)
    assert value == before


def test_every_envelope_is_replaced_once_and_its_content_is_not_looked_into() -> None:
    inner = {SEALED: "inner"}
    seen: list[str] = []

    def replacement(envelope: str) -> Any:
        seen.append(envelope)
        return inner

    assert replace_sealed({"a": [{SEALED: "one"}], "b": {SEALED: "two"}}, replacement) == {"a": [inner], "b": inner}
    assert seen == ["one", "two"]
