"""Frozen values: lazy, hashable, and given back as they were."""

from __future__ import annotations

from squall.core.expr.frozen import FrozenMapping, freeze, thaw


def test_a_frozen_value_is_hashable_and_equal_to_its_like() -> None:
    one, other = freeze({"a": [{"b": 1}]}), freeze({"a": [{"b": 1}]})
    assert one == other
    assert hash(one) == hash(other)
    assert one == {"a": ({"b": 1},)}
    assert len({one, other}) == 1


def test_only_values_that_are_read_are_converted() -> None:
    frozen = FrozenMapping({"a": {"b": 1}, "c": object})
    assert frozen["a"]["b"] == 1
    assert frozen._values.keys() == {"a"}


def test_an_untouched_value_thaws_to_the_very_same_object() -> None:
    raw = {"a": [1, {"b": 2}]}
    assert thaw(freeze(raw)) is raw


def test_what_yaql_makes_thaws_to_plain_values() -> None:
    assert thaw({"a": (1, freeze({"b": 2})), "c": frozenset([3])}) == {"a": [1, {"b": 2}], "c": [3]}
    assert thaw(iter([1, 2])) == [1, 2]


def test_texts_of_frozen_values_read_like_plain_ones() -> None:
    assert str(freeze({"a": [1]})) == "{'a': [1]}"
    assert str(freeze([1, {"b": None}])) == "[1, {'b': None}]"
