"""Expressions are found in a text as Orquesta finds them, in time that is proportional to its length."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squall.core.expr.language import Language
from squall.core.expr.parts import JINJA, YAQL, expressions, has_block, jinja_parts, languages, yaql_parts

TEXTS = st.lists(st.sampled_from(["<%", "%>", "{{", "}}", "{%", "<", ">", "{", "}", "%", " ", "\n", "a"])).map("".join)
HUGE = 200_000


@pytest.mark.hypothesis
@given(TEXTS)
def test_each_expression_ends_at_its_first_closing_delimiter(text: str) -> None:
    assert expressions(YAQL, text) == re.findall(r"<%.*?%>", text, re.DOTALL)
    assert expressions(JINJA, text) == re.findall(r"\{\{.*?\}\}", text, re.DOTALL)
    assert has_block(text) == bool(re.search(r"\{%.*?%\}", text, re.DOTALL))
    assert languages(text) == [JINJA] * bool(expressions(JINJA, text) or has_block(text)) + [YAQL] * bool(
        expressions(YAQL, text)
    )


@pytest.mark.hypothesis
@given(TEXTS)
def test_the_parts_of_a_text_are_the_text(text: str) -> None:
    for parts in (yaql_parts(text), jinja_parts(text, lambda source: "a" in source)):
        assert "".join(part if isinstance(part, str) else part[0] for part in parts) == text


def test_an_expression_ends_where_it_is_valid() -> None:
    parts = list(jinja_parts("x {{ {'a': {}} }} y {{ b }}", lambda source: source in ("{'a': {}}", "b")))
    assert parts == ["x ", ("{{ {'a': {}} }}", "{'a': {}}"), " y ", ("{{ b }}", "b")]


@pytest.mark.parametrize("delimiter", ["<%", "{{", "{%"])
def test_delimiters_that_nothing_closes_cost_one_pass(delimiter: str) -> None:
    # A pattern that begins anew at each of them would take minutes.
    text = delimiter * HUGE
    assert languages(text) == []
    assert Language().variables([text]) == []


def test_the_tries_for_wrong_expressions_are_bounded() -> None:
    tries = 0

    def is_valid(_source: str) -> bool:
        nonlocal tries
        tries += 1
        return False

    wrong = 2_000
    assert len(list(jinja_parts("{{ ( }} " * wrong, is_valid))) == 2 * wrong
    assert tries < 2 * wrong


@pytest.mark.parametrize("text", ["{{ " + "(" * 2000 + "1" + ")" * 2000 + " }}", "{{ " + "[" * 150 + "]" * 150 + " }}"])
def test_an_expression_that_nests_too_deeply_is_an_error_in_words(text: str) -> None:
    for complaint in Language().complaints([text]):
        assert complaint["message"] == "The expression nests too deeply."
