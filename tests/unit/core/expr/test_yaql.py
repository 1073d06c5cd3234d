"""YAQL behind the door."""

from __future__ import annotations

from squall.core.expr.scope import Scope, Variables
from squall.core.expr.yaql import Yaql

YAQL = Yaql()


def test_an_expression_is_parsed_once() -> None:
    assert YAQL.parse("1 + 1") is YAQL.parse("1 + 1")


def test_the_parser_says_what_is_wrong() -> None:
    assert YAQL.complaint("1 + 1") is None
    assert YAQL.complaint("1 +") == "Parse error: unexpected end of statement"


def test_patterns_that_end_are_taken() -> None:
    scope = Scope(Variables({}))
    assert YAQL.evaluate("regex('b+').replace('abbc', 'x')", scope) == "axc"
    assert YAQL.evaluate("'abc' =~ 'b'", scope) is True
    assert YAQL.evaluate("'a,b'.split(',')", scope) == ["a", "b"]
    assert YAQL.evaluate("'abc'.replace('b', 'xx')", scope) == "axxc"
