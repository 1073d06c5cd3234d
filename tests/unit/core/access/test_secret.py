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

from squall.core.access.secret import (
    MASK,
    Sealed,
    Secret,
    from_stored,
    masked,
    may_be_marked,
    replace_sealed,
    sealed_form,
    shown_form,
    to_stored,
)
from squall.core.execution.execution import holds_sealed
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


NAMES = st.sampled_from(["$sealed", "$$sealed", "$$$sealed", "sealed", "$", "", "a", "a$sealed"])
LOOKALIKES = st.recursive(
    st.sampled_from(["v1:AAAA", "x", 1, None, Sealed("v1:AAAA")]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=8,
)


@given(LOOKALIKES)
def test_a_document_comes_back_from_its_stored_form_whatever_its_plain_data_looks_like(value: Any) -> None:
    stored = json.dumps(to_stored(value))
    assert from_stored(json.loads(stored)) == value
    if not may_be_marked(stored):
        assert to_stored(value) == value == from_stored(value)


@given(LOOKALIKES)
def test_plain_data_never_comes_back_as_a_sealed_value(value: Any) -> None:
    plain = json.loads(json.dumps(replace_sealed(value, lambda envelope: {"$sealed": envelope})))
    assert not holds_sealed(from_stored(json.loads(json.dumps(to_stored(plain)))))
    assert masked(plain) == plain


def test_encoders_write_the_envelope_for_the_store_and_the_mask_for_clients() -> None:
    value = {"a": [Sealed("v1:x")]}
    assert msgspec.json.encode(value, enc_hook=sealed_form) == b'{"a":[{"$sealed":"v1:x"}]}'
    assert msgspec.json.encode(value, enc_hook=shown_form) == b'{"a":["********"]}'
    for form in (sealed_form, shown_form):
        with pytest.raises(TypeError, match="object is no type of JSON"):
            msgspec.json.encode([object()], enc_hook=form)


def test_a_sealed_value_is_printed_as_its_mask_and_compared_by_its_envelope() -> None:
    assert f"{Sealed('x')!r} {Sealed('x')}" == f"{MASK} {MASK}"
    assert Sealed("x") == Sealed("x")
    assert Sealed("x") not in (Sealed("y"), "x", {"$sealed": "x"})
    assert len({Sealed("x"), Sealed("x")}) == 1
    assert from_stored({"$sealed": "x"}) == Sealed("x")
    assert (holds_sealed([{"a": Sealed("x")}]), holds_sealed([{"a": 10**30}])) == (True, False)


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
    assert word not in json.dumps(to_stored(seal_secrets(VALUE, SCHEMA, seal)))


@given(JSON)
def test_a_secret_of_any_value_comes_back_and_null_stays_null(value: Any) -> None:
    sealed = seal_secrets(value, {"secret": True}, seal)
    assert sealed is None if value is None else isinstance(sealed, Sealed)
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
    inner = Sealed("inner")
    seen: list[str] = []

    def replacement(envelope: str) -> Any:
        seen.append(envelope)
        return inner

    assert replace_sealed({"a": [Sealed("one")], "b": Sealed("two")}, replacement) == {"a": [inner], "b": inner}
    assert seen == ["one", "two"]
