"""Criteria as they are written: every fault names its place and what is allowed there."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.content.metadata_words import MetadataError
from squall.core.event.rules.criteria import DEEPEST_SEARCH, MOST_CRITERIA, check_criteria
from squall.core.event.rules.operators import NAMES


def test_right_criteria_are_accepted() -> None:
    check_criteria(
        {
            "trigger.a": {"type": "eq", "pattern": "{{ st2kv.system.limit }}"},
            "trigger.a#2": {"type": "neq", "pattern": None},
            "trigger.b": {"type": "exists"},
            "trigger.c": {"type": "nexists", "pattern": None},
            "trigger.d": {"type": "regex", "pattern": "^{{ trigger.x }}($"},
            "system.e": {"type": "timediff_lt", "pattern": 5},
            'trigger."f g"[0]': {
                "type": "search",
                "condition": "all2any",
                "pattern": {"item.x": {"type": "search", "condition": "any", "pattern": {}}},
            },
        },
        "criteria",
    )


@pytest.mark.parametrize(
    ("criterion", "keys", "reason"),
    [
        ("x", (), "'x' is not a mapping, such as {type: eq, pattern: 5}"),
        ({}, ("type",), f"the operator is missing; set type to one of {', '.join(NAMES)}"),
        ({"type": "nosuch", "pattern": 1}, ("type",), "operator 'nosuch' is none of matchwildcard, "),
        ({"type": "equal", "pattern": 1}, ("type",), 'did you mean "equals"?'),
        ({"type": ["eq"], "pattern": 1}, ("type",), "is none of"),
        ({"type": "eq"}, ("pattern",), 'the operator "eq" needs a pattern'),
        ({"type": "eq", "pattern": None}, ("pattern",), 'never matches null; use "nexists"'),
        ({"type": "eq", "patern": 1}, ("patern",), 'did you mean "pattern"?'),
        ({"type": "eq", "pattern": 1, "x": 1}, ("x",), "this word is not known here"),
        (
            {"type": "eq", "pattern": 1, "condition": "any"},
            ("condition",),
            'only the operator "search" has a condition',
        ),
        ({"type": "regex", "pattern": "("}, ("pattern",), "the pattern '(' is wrong"),
        ({"type": "iregex", "pattern": "(?!a)"}, ("pattern",), "look-arounds"),
        ({"type": "matchwildcard", "pattern": "a" * 10_001}, ("pattern",), "10000 are allowed"),
        (
            {"type": "search", "pattern": {}},
            ("condition",),
            "the condition is missing; use one of all, all2any, any, any2any",
        ),
        ({"type": "search", "condition": "none", "pattern": {}}, ("condition",), "condition 'none' is unknown"),
        ({"type": "search", "condition": "any"}, ("pattern",), 'the operator "search" needs a pattern'),
        ({"type": "search", "condition": "any", "pattern": "x"}, ("pattern",), "'x' is not a mapping"),
        (
            {"type": "search", "condition": "any", "pattern": {"item.x": {"type": "eq"}}},
            ("pattern", "item.x", "pattern"),
            'the operator "eq" needs a pattern',
        ),
        (
            {"type": "search", "condition": "any", "pattern": {"item[": {"type": "exists"}}},
            ("pattern", "item["),
            "the path is wrong: the path ends too early",
        ),
    ],
)
def test_a_fault_names_its_place(criterion: Any, keys: tuple[str, ...], reason: str) -> None:
    with pytest.raises(MetadataError) as error:
        check_criteria({"trigger.x": criterion}, "criteria")
    assert error.value.keys == ("criteria", "trigger.x", *keys)
    assert reason in str(error.value)


def test_a_broken_path_is_refused() -> None:
    with pytest.raises(
        MetadataError, match=r"criteria.trigger.a b: the path is wrong: 'b' at character 11 cannot stand"
    ):
        check_criteria({"trigger.a b": {"type": "exists"}}, "criteria")


def test_the_number_of_criteria_has_a_limit_also_within_a_search() -> None:
    many = {f"item.x#{number}": {"type": "exists"} for number in range(MOST_CRITERIA)}
    check_criteria(many)
    with pytest.raises(MetadataError, match=f"at most {MOST_CRITERIA} criteria, not {MOST_CRITERIA + 1}"):
        check_criteria({"trigger.x": {"type": "search", "condition": "any", "pattern": many}})


def test_the_depth_of_searches_has_a_limit() -> None:
    def nested(levels: int) -> dict[str, Any]:
        inner = nested(levels - 1) if levels > 1 else {}
        return {"item": {"type": "search", "condition": "any", "pattern": inner}}

    check_criteria(nested(DEEPEST_SEARCH))
    with pytest.raises(MetadataError, match=f"at most {DEEPEST_SEARCH} levels"):
        check_criteria(nested(DEEPEST_SEARCH + 1))
