"""YAQL's regular expressions: all forms of its library, and none that runs without end."""

from __future__ import annotations

from typing import Any

import pytest
import yaql  # type: ignore[import-untyped]

from squall.core.expr.yaql import Yaql
from squall.core.regex import RegexError

FORMS = [
    "regex('a.c').matches('abc')",
    "'abc'.matches('^a')",
    "'abc'.matches('^b')",
    "'abc' =~ 'b'",
    "'abc' !~ 'b'",
    "'abc' =~ regex('B', ignoreCase => true)",
    "'abc' !~ regex('B')",
    "regex('a.c').search('xabcy')",
    "regex('z').search('a')",
    "regex('a.').searchAll('abac')",
    "regex('b').split('abcbd')",
    "'abcbd'.split(regex('b'))",
    "regex('b').split('abcbd', 1)",
    "'a b'.split(' ')",
    "regex('a.').replace('abacad', 'x')",
    "regex('a.').replace('abacad', 'x', 2)",
    "'abad'.replace(regex('a'), 'x')",
    "'abad'.replace('a', 'y')",
    "regex('a(.)').replace('abac', '<\\\\1>')",
    "escapeRegex('a.')",
    "isRegex(regex('a'))",
    "isRegex('a')",
    "regex('^b', multiLine => true).matches('a\nb')",
    "regex('a.b', dotAll => true).matches('a\nb')",
    "regex('a(.)').search('xab', $)",
    "regex('a(.)').search('xab', $2.value)",
    "regex('a.').searchAll('abac', $.start)",
]


def evaluate(source: str) -> Any:
    context: Any = None
    return Yaql().evaluate(source, context)


@pytest.mark.parametrize("source", FORMS)
def test_each_form_gives_what_the_library_gives(source: str) -> None:
    library = yaql.YaqlFactory().create()(source).evaluate(context=yaql.create_context())
    assert evaluate(source) == library


def test_a_replacement_is_made_from_each_match() -> None:
    assert evaluate("regex('a(.)').replaceBy('abac', concat('<', $2.value, '>'))") == "<b><c>"
    assert evaluate("'abac'.replaceBy(regex('a(.)'), $.value.toUpper())") == "ABAC"


def test_named_groups_have_their_names() -> None:
    assert evaluate("regex('(?P<word>b+)').search('abbc', $word.value)") == "bb"


@pytest.mark.parametrize(
    "source", ["'{a}' =~ '(a|a){{40}}b'", "'{a}'.matches('(a+)+$x')", "regex('(a|aa)*b').searchAll('{a}').len() > 0"]
)
def test_a_pattern_that_explodes_gives_its_answer(source: str) -> None:
    assert evaluate(source.format(a="a" * 99)) is False


def test_what_needs_backtracking_is_refused() -> None:
    with pytest.raises(RegexError, match="look-arounds"):
        evaluate("'ab' =~ '(?<=a)b'")
