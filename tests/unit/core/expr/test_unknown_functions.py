"""Functions that expressions call and that do not exist."""

from __future__ import annotations

import pytest

from squall.core.expr.language import Language, unknown_functions

LANGUAGE = Language()


@pytest.mark.parametrize(
    ("text", "name", "meant"),
    [
        ("<% suceeded() %>", "suceeded", "succeeded"),
        ("a <% ctx().l.select(lenn($)) %>", "lenn", "len"),
        ("<% {a => [resultt()]} %>", "resultt", "result"),
        ("<% ctx().l.selct($) %>", "selct", "select"),
        ("{{ suceeded() }}", "suceeded", "succeeded"),
        ("{% if faild() %}x{% endif %}", "faild", "failed"),
        ("{{ ctx().x | to_json_strng }}", "to_json_strng", "to_json_string"),
    ],
)
def test_a_function_that_does_not_exist_is_told_with_the_one_that_was_meant(text: str, name: str, meant: str) -> None:
    assert unknown_functions(LANGUAGE, text) == [f'There is no function "{name}". Did you mean {meant}?']


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "<% succeeded() and ctx().a.len() > 1 %>",
        "<% switch(ctx().x = 1 => a, true => b) %>",
        "<% let(a => 1) -> $a %>",
        "<% task_status(t) = succeeded %>",
        "<% str(st2kv('system.a')) + to_json_string(ctx()) %>",
        "{{ ctx().x | default('a') | upper }}",
        "{% set f = ctx %}{{ f() }}{% for i in range(3) %}{{ i }}{% endfor %}",
        "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1) }}",
        "{{ dict(a=1) }} {{ st2kv('a') }} {{ task('x').result }}",
        "<% broken( %>",
        "{{ broken( }}",
    ],
)
def test_functions_that_exist_are_passed_over(text: str) -> None:
    assert unknown_functions(LANGUAGE, text) == []


@pytest.mark.parametrize("part", ["a.", "a and ", "f(", "a|"])
@pytest.mark.parametrize(("opening", "closing"), [("<% ", " %>"), ("{{ ", " }}"), ("{% if ", " %}{% endif %}")])
def test_an_expression_may_be_as_long_as_it_likes(part: str, opening: str, closing: str) -> None:
    unknown_functions(LANGUAGE, f"{opening}{part * 5000}a{closing}")


def test_unknown_functions_are_named_in_the_order_of_their_calls() -> None:
    sentences = unknown_functions(LANGUAGE, "<% xone(xtwo(1), xthree()).xfour() %>")
    assert [sentence.split('"')[1] for sentence in sentences] == ["xone", "xtwo", "xthree", "xfour"]
