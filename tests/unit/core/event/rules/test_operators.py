"""Operators of criteria: the results of each, by table, and the reasons of those that cannot compare."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.event.rules.operators import NAMES, OPERATORS, OperatorError, apply, kind_of

NOW = 1_700_000_000_000_000  # 2023-11-14T22:13:20Z
ALIASES = {
    "eq": "equals", "neq": "nequals", "ieq": "iequals", "lt": "lessthan", "gt": "greaterthan", "td_lt": "timediff_lt",
    "td_gt": "timediff_gt", "in": "inside", "nin": "ninside",
}  # fmt: skip

CASES: list[tuple[str, Any, Any, bool]] = [
    ("eq", "a", "a", True), ("eq", "a", "A", False), ("eq", "5", 5, False), ("eq", 5, 5.0, True),
    ("eq", [1, {"a": 2}], [1, {"a": 2}], True), ("eq", None, None, False), ("eq", None, "a", False),
    ("eq", True, "True", False),
    ("neq", "a", "b", True), ("neq", "a", "a", False), ("neq", "a", None, True), ("neq", None, None, False),
    ("neq", 5, "5", True),
    ("ieq", "Web", "wEB", True), ("ieq", "a", "b", False), ("ieq", "a", None, False),
    ("contains", "abc", "b", True), ("contains", ["a", "b"], "b", True), ("contains", ["abc"], "b", False),
    ("contains", {"k": 1}, "k", True), ("contains", [1, [2]], [2], True), ("contains", "abc", None, False),
    ("icontains", "ABC", "b", True), ("icontains", "ABC", "d", False), ("icontains", "ABC", None, False),
    ("ncontains", "abc", "d", True), ("ncontains", "abc", "b", False), ("ncontains", ["a"], "b", True),
    ("ncontains", "abc", None, False),
    ("incontains", "ABC", "d", True), ("incontains", "ABC", "b", False), ("incontains", "ABC", None, False),
    ("startswith", "abc", "ab", True), ("startswith", "abc", "Ab", False), ("startswith", "abc", None, False),
    ("istartswith", "abc", "AB", True), ("istartswith", "abc", "b", False), ("istartswith", "abc", None, False),
    ("endswith", "abc", "bc", True), ("endswith", "abc", "BC", False), ("endswith", "abc", None, False),
    ("iendswith", "abc", "BC", True), ("iendswith", "abc", "b", False), ("iendswith", "abc", None, False),
    ("matchwildcard", "web1", "web*", True), ("matchwildcard", "xweb1", "web*", False),
    ("matchwildcard", "web1", None, False),
    ("regex", "xx CRITICAL", "CRIT", True), ("regex", "crit", "CRIT", False), ("regex", "a\nb", "a.b", False),
    ("regex", "a\nb", "^b", False), ("regex", "a", None, False),
    ("iregex", "crit", "CRIT", True), ("iregex", "a", "b", False), ("iregex", "a", None, False),
    ("matchregex", "x\nCRITICAL", ".*CRIT", True), ("matchregex", "x CRIT", "CRIT", False),
    ("matchregex", "crit", "CRIT", False), ("matchregex", "a", None, False),
    ("lt", 1, 2, True), ("lt", 2, 2, False), ("lt", "a", "b", True), ("lt", [1], [2], True), ("lt", 1, None, False),
    ("gt", 3, 2, True), ("gt", 2, 2, False), ("gt", "b", "a", True), ("gt", 1.5, 1, True), ("gt", 1, None, False),
    ("td_lt", "2023-11-14T22:13:10Z", 20, True), ("td_lt", "2023-11-14T22:13:10Z", 5, False),
    ("td_lt", "2023-11-14 22:13:10", "20", True), ("td_lt", "2023-11-14T22:13:10Z", None, False),
    ("td_lt", "2023-11-15T00:00:00+00:00", 0, True),
    ("td_gt", "2023-11-14T22:13:10Z", 5, True), ("td_gt", "2023-11-14T22:13:10Z", 20, False),
    ("td_gt", "2023-11-14T23:13:10.000000+01:00", 9.5, True), ("td_gt", "2023-11-14T22:13:10Z", None, False),
    ("exists", 0, None, True), ("exists", "", None, True), ("exists", None, None, False),
    ("nexists", None, None, True), ("nexists", False, None, False),
    ("in", "a", ["a", "b"], True), ("in", "a", "abc", True), ("in", "d", ["a"], False), ("in", None, [None], True),
    ("in", "k", {"k": 1}, True), ("in", "a", None, False), ("in", 5, [5], True),
    ("nin", "d", ["a"], True), ("nin", "a", ["a"], False), ("nin", "a", None, False), ("nin", "d", "abc", True),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "pattern", "verdict"), CASES)
def test_an_operator_gives_the_verdict_of_stackstorm(name: str, value: Any, pattern: Any, verdict: bool) -> None:
    assert apply(OPERATORS[name], value, pattern, NOW) is verdict
    assert name not in ALIASES or OPERATORS[ALIASES[name]] is OPERATORS[name]


def test_the_table_has_every_operator() -> None:
    assert {name for name, *_ in CASES} | set(ALIASES.values()) | {"search"} == set(NAMES)


@pytest.mark.parametrize(
    ("name", "value", "pattern", "reason"),
    [
        ("ieq", None, "a", "the value is null; this operator compares texts"),
        ("ieq", "a", 5, "the pattern is a number; this operator compares texts"),
        ("contains", None, "a", "the value is null; it must be a text, a list or an object"),
        ("contains", "abc", 5, "the pattern is a number, but the value is a text, which has texts in it"),
        ("contains", {"a": 1}, ["a"], "the pattern is a list, but the value is an object, whose keys are texts"),
        ("ncontains", 5, "a", "the value is a number; it must be a text, a list or an object"),
        ("icontains", ["A"], "a", "the value is a list; this operator compares texts"),
        ("startswith", True, "a", "the value is a boolean; this operator compares texts"),
        ("matchwildcard", 5, "*", "the value is a number; this operator compares texts"),
        ("regex", {"a": 1}, "a", "the value is an object; this operator compares texts"),
        ("regex", "a", "(", "the pattern '(' is wrong"),
        ("regex", "a", "(?=a)", "look-arounds"),
        ("iregex", "a", "a**", "the pattern 'a**' is wrong"),
        ("matchregex", "a", "(a)\\1", "back-references"),
        ("matchwildcard", "a", "a" * 10_001, "10000 are allowed"),
        ("lt", "2", 2, "the value is a text and the pattern a number; they have no order"),
        ("gt", None, 2, "the value is null and the pattern a number; they have no order"),
        ("gt", {}, {}, "they have no order"),
        ("td_lt", "yesterday, perhaps", 5, "the value 'yesterday, perhaps' is not a time"),
        ("td_lt", 5, 5, "the value 5 is not a text with a time"),
        ("td_lt", None, 5, "the value None is not a text with a time"),
        ("td_gt", "2023-11-14T22:13:10Z", "soon", "the pattern is a text; it must be a number of seconds"),
        ("td_gt", "2023-11-14T22:13:10Z", [], "the pattern is a list; it must be a number of seconds"),
        ("in", "a", 5, "the pattern is a number; it must be a text, a list or an object"),
        ("in", 5, "abc", "the value is a number, but the pattern is a text, which has texts in it"),
        ("nin", None, "abc", "the value is null, but the pattern is a text"),
    ],
)
def test_an_operator_that_cannot_compare_says_why(name: str, value: Any, pattern: Any, reason: str) -> None:
    with pytest.raises(OperatorError) as error:
        apply(OPERATORS[name], value, pattern, NOW)
    assert reason in str(error.value)


def test_values_that_nest_too_deep_have_a_reason() -> None:
    first: Any = []
    second: Any = []
    for _ in range(200_000):
        first, second = [first], [second]
    with pytest.raises(OperatorError, match="nest too deep"):
        apply(OPERATORS["eq"], first, second, NOW)


def test_a_catastrophic_regex_ends() -> None:
    assert apply(OPERATORS["regex"], "a" * 100_000 + "!", "^(a+)+$", NOW) is False


def test_every_kind_of_value_has_a_name() -> None:
    values: list[Any] = [None, True, 1, 1.5, "", [], {}]
    kinds = [kind_of(value) for value in values]
    assert kinds == ["null", "a boolean", "a number", "a number", "a text", "a list", "an object"]
