"""Asterisks that clients send back stand for the secrets that they were shown for."""

from __future__ import annotations

from typing import Any

import pytest
from tests.schema_shapes import MASK, SHAPES, Shape

from squall.core.content.returned import given_parameter, has_mask, masks_left, restored, unknown_masks, without_masks
from squall.core.schema.walk import mask_secrets, place_of

LOGIN = {"properties": {"user": {}, "word": {"secret": True}}}
LOGINS = {"items": LOGIN}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_what_was_shown_comes_back_as_what_it_was(shape: Shape) -> None:
    assert restored(shape.masked, shape.masked, shape.value) == shape.value
    assert restored("new", shape.masked, shape.value) == "new"


@pytest.mark.parametrize(
    ("old", "sent", "kept"),
    [
        ([("a", "1"), ("b", "2")], [("a", MASK), ("b", MASK)], [("a", "1"), ("b", "2")]),
        ([("a", "1"), ("b", "2")], [("b", MASK), ("a", MASK)], [("b", "2"), ("a", "1")]),
        ([("a", "1"), ("b", "2")], [("b", MASK)], [("b", "2")]),
        ([("a", "1")], [("c", "3"), ("a", MASK)], [("c", "3"), ("a", "1")]),
        ([("a", "1"), ("b", "2")], [("renamed", MASK), ("b", MASK)], [("renamed", "1"), ("b", "2")]),
        ([("a", "1"), ("b", "2")], [("b", MASK), ("c", "3")], [("b", "2"), ("c", "3")]),
        ([("a", "1"), ("a", "2")], [("a", MASK)], [("a", MASK)]),
        ([("a", "1"), ("a", "1")], [("a", MASK)], [("a", "1")]),
        ([("a", "1"), ("a", "2")], [("a", MASK), ("a", MASK)], [("a", "1"), ("a", "2")]),
        ([("a", "1"), ("b", "2")], [("new", MASK)], [("new", MASK)]),
    ],
)
def test_items_get_the_secrets_of_those_that_they_were(old: Any, sent: Any, kept: Any) -> None:
    def logins(pairs: list[tuple[str, str]]) -> list[dict[str, str]]:
        return [{"user": user, "word": word} for user, word in pairs]

    assert restored(logins(sent), mask_secrets(logins(old), place_of(LOGINS)), logins(old)) == logins(kept)
    left = [word for _, word in kept if word == MASK]
    assert len(list(masks_left(logins(kept), place_of(LOGINS)))) == len(left)


DEFAULTED = {
    "type": "object",
    "default": {"user": "u", "word": "of the parameter"},
    "properties": {"user": {}, "word": {"secret": True}, "key": {"secret": True, "default": "of the property"}},
}


@pytest.mark.parametrize(
    ("schema", "sent", "given"),
    [
        ({"secret": True, "default": "real"}, MASK, (False, None)),
        ({"secret": True, "default": "real"}, "new", (True, "new")),
        ({"secret": True}, MASK, (True, MASK)),
        ({"default": MASK}, MASK, (True, MASK)),
        (DEFAULTED, {"user": "v", "word": MASK, "key": MASK}, (True, {"user": "v", "word": "of the parameter"})),
        (DEFAULTED, {"word": "new", "key": "new"}, (True, {"word": "new", "key": "new"})),
        ({"items": DEFAULTED}, [{"key": MASK}], (True, [{}])),
    ],
)
def test_asterisks_for_a_secret_parameter_mean_its_default(schema: Any, sent: Any, given: Any) -> None:
    assert given_parameter(sent, schema, place_of(schema)) == given


def test_only_secret_properties_with_a_default_are_left_out() -> None:
    value = {"user": MASK, "word": MASK, "key": MASK}
    assert without_masks(value, place_of(DEFAULTED)) == {"user": MASK, "word": MASK}
    assert list(masks_left(value, place_of(DEFAULTED))) == ["word", "key"]


@pytest.mark.parametrize(
    ("sent", "shown", "kept", "paths"),
    [
        ({"default": MASK}, {"default": MASK}, {"default": "real"}, []),
        ({"default": MASK}, {"default": MASK}, {"default": MASK}, ["default"]),
        ({"default": MASK}, {"default": "real"}, {"default": "real"}, ["default"]),
        ({"a": {"default": {"b": [MASK]}}}, None, {"a": {"default": {"b": [MASK]}}}, ["a.default.b.0"]),
        ({"description": MASK}, {"description": MASK}, {"description": MASK}, []),
        ({"default": "new"}, {"default": MASK}, {"default": "new"}, []),
        (None, {}, {}, []),
    ],
)
def test_asterisks_that_stand_for_nothing_secret_are_told(sent: Any, shown: Any, kept: Any, paths: Any) -> None:
    assert list(unknown_masks(sent, shown, kept)) == paths


@pytest.mark.parametrize(("value", "there"), [(MASK, True), ([{"a": MASK}], True), ({"a": ["b", 1]}, False)])
def test_asterisks_are_found_at_any_depth(value: Any, there: bool) -> None:
    assert has_mask(value) is there
