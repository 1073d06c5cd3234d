"""Expressions in workflows: results and error texts as Orquesta has them, and bounds that hold."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from squall.adapters.evaluation.processes import EvaluationProcesses
from squall.core.expr.bounds.errors import EvaluationError
from squall.core.expr.bounds.limits import Deadline
from squall.core.expr.language import Language
from squall.core.expr.parts import languages
from squall.core.expr.scope import CurrentTask, Scope, Variables
from squall.server import evaluator

LANGUAGE = Language()


@pytest.fixture(scope="module", params=["in this process", "in a process of their own"])
def language(request: pytest.FixtureRequest) -> Iterator[Language]:
    processes = EvaluationProcesses(partial(evaluator.start, {}), 10.0)
    yield Language(evaluator=processes) if request.param == "in a process of their own" else LANGUAGE
    processes.close()


EVIL = "a" * 40 + "!"


def key_of(key: str, decrypt: bool) -> Any:
    return {"system.a": "1"}[key]


SCOPE = Scope(
    Variables({"x": 4, "l": [1, 2, 3], "d": {"a": {"b": 1}}, "s": "<% ctx().x %> {{ ctx().x }}", "n": None, "__p": 1}),
    CurrentTask("t", 0, "succeeded", {"stdout": "hi"}),
    {"a": 1},
    key_of=key_of,
    status_of=lambda name, route: "running" if name == "other" else None,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        (5, 5),
        ("<% ctx().x + 1 %>", 5),
        ("{{ ctx().x + 1 }}", 5),
        ("<% ctx(x) %>", 4),
        ("<% ctx(l) %>", [1, 2, 3]),
        ("{{ ctx('d').a.b }} and {{ ctx().x }}", "1 and 4"),
        ("<% ctx().d.a.b %> and <% ctx(n) %>", "1 and None"),
        ("<% ctx().d %> <% ctx().l %>", "{'a': {'b': 1}} [1, 2, 3]"),
        ("<% ctx().l.select($ * 2) %>", [2, 4, 6]),
        ("<% dict(a => ctx().x, b => ctx().l) %>", {"a": 4, "b": [1, 2, 3]}),
        ("<% list(dict(a => 1), dict(a => 1)).distinct() %>", [{"a": 1}]),
        ("<% set(1, 2, 1).len() %>", 2),
        ("<% result().stdout %>", "hi"),
        ("{{ result().stdout }}", "hi"),
        ("<% item() %>", {"a": 1}),
        ("<% item(a) %>", 1),
        ("{{ item('a') }}", 1),
        ("<% succeeded() and completed() and not failed() %>", True),
        ("{{ succeeded() and completed() and not failed() }}", True),
        ("<% task_status(other) %>", "running"),
        ("<% task_status(nosuch) %>", "null"),
        ("<% zip(list(1, 2), list(3), pad => 0) %>", [[1, 3], [2, 0]]),
        ("{{ zip([1, 2], [3], pad=0) }}", [[1, 3], [2, 0]]),
        ("<% json('{\"a\": 1}') %>", {"a": 1}),
        ("<% to_json_string(ctx().d) %>", '{"a": {"b": 1}}'),
        ("{{ ctx().d | to_json_string }}", '{"a": {"b": 1}}'),
        ("<% version_compare('1.2.3', '1.2.4') %>", -1),
        ("<% regex_match('AB', 'a', ignorecase => true) %>", True),
        ("<% st2kv('system.a') %>", "1"),
        ("<% st2kv('system.b', default => null) %>", None),
        ("{{ st2kv('system.b', default='') }}", ""),
        ("{% for i in ctx().l %}{{ i }}{% endfor %}", "123"),
        ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
        ("{{ {'a': {'b': 1}} }}", {"a": {"b": 1}}),
        ("<% switch(ctx().x = 4 => 'four', true => 'other') %>", "four"),
        ("<%\n ctx().x\n%>", 4),
        ({"<% ctx().x %>": ["{{ ctx().x }}"]}, {"4": [4]}),
    ],
)
def test_expressions_give_values(text: Any, value: Any, language: Language) -> None:
    assert language.evaluate(text, SCOPE) == value


@pytest.mark.parametrize("text", ["<% ctx().s %>", "{{ ctx().s }}", "{{ ctx('s') }}", "{% set a = ctx().s %}{{ a }}"])
def test_what_has_been_rendered_is_data(text: str) -> None:
    assert LANGUAGE.evaluate(text, SCOPE) == "<% ctx().x %> {{ ctx().x }}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<% ctx().nope %>", "Unable to resolve key 'nope' in expression '<% ctx().nope %>' from context."),
        (
            "<% ctx(nope) %>",
            "Unable to evaluate expression '<% ctx(nope) %>'. VariableUndefinedError:"
            ' The variable "nope" is undefined.',
        ),
        (
            "<% ctx('__p') %>",
            "Unable to evaluate expression '<% ctx('__p') %>'. VariableInaccessibleError:"
            ' The variable "__p" is for internal use and inaccessible.',
        ),
        (
            "<% abs(8).value %>",
            "Unable to evaluate expression '<% abs(8).value %>'. NoFunctionRegisteredException:"
            ' Unknown function "#property#value"',
        ),
        ("{{ ctx().nope }}", "There are unresolved variables: ctx().nope"),
        ("{{ 1/0 }}", "Unable to evaluate expression '{{ 1/0 }}'. ZeroDivisionError: division by zero"),
        (
            "<% item(b) %>",
            "Unable to evaluate expression '<% item(b) %>'. ExpressionEvaluationException:"
            ' Item does not have key "b".',
        ),
        (
            "<% st2kv('system.b') %>",
            "Unable to evaluate expression '<% st2kv('system.b') %>'. ExpressionEvaluationException:"
            ' The key "b" does not exist in the StackStorm datastore.',
        ),
        (
            "<% task(foo) %>",
            "Unable to evaluate expression '<% task(foo) %>'. ExpressionEvaluationException:"
            ' Unable to find task execution for "foo".',
        ),
    ],
)
def test_errors_are_told_in_orquestas_words(text: str, told: str, language: Language) -> None:
    with pytest.raises(EvaluationError) as caught:
        language.evaluate(text, SCOPE)
    name = "Jinja" if "{{" in text else "Yaql"
    assert str(caught.value) == f"{name}EvaluationException: {told}"


@pytest.mark.parametrize(
    "text",
    [
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 'a' * 10000000000 }}",
        "{{ 'a'.ljust(10000000000) }}",
        "{{ 2 ** 100000000 }}",
        "{% set n = namespace(x='a') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x }}",
        "{% set n = namespace(x='a') %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}{{ n.x }}",
        "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{{ 'x'|center(1000000000) }}",
        "{{ [[[1] * 1000] * 1000] * 1000 }}",
        "{{ ('a' * 10000).replace('a', 'b' * 10000) }}",
        "<% range(100000).select(range(100000).len()).sum() %>",
        "<% 'a' * 10000000000 %>",
        "<% pow(2, 1000000000) %>",
        "<% shiftBitsLeft(1, 100000000000) %>",
        "<% sequence().last() %>",
        "<% generate(0, true, $ + 1).last() %>",
    ],
)
def test_an_expression_that_loops_or_eats_memory_ends_with_an_error(text: str) -> None:
    language = Language(Deadline(time.monotonic, 0.2))
    with pytest.raises(EvaluationError, match="Unable to evaluate expression"):
        language.evaluate(text, SCOPE)


def test_steps_are_bounded_without_a_clock_too() -> None:
    with pytest.raises(EvaluationError, match="too many steps"):
        LANGUAGE.evaluate("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", SCOPE)


def test_the_sandbox_shows_nothing_of_python() -> None:
    for text in ("{{ ctx().l.__class__.__mro__ }}", "{{ ctx().d.update({}) }}", "{{ ''.__class__ }}"):
        with pytest.raises(EvaluationError):
            LANGUAGE.evaluate(text, SCOPE)


def test_a_workflows_values_are_not_changed_by_expressions() -> None:
    LANGUAGE.evaluate("<% ctx().d.set(c, 1) %>", SCOPE)
    with pytest.raises(EvaluationError):
        LANGUAGE.evaluate("{{ ctx().l.append(9) }}", SCOPE)
    assert SCOPE.variables.values["d"] == {"a": {"b": 1}}
    assert SCOPE.variables.values["l"] == [1, 2, 3]


@pytest.mark.parametrize(
    ("text", "language", "expression", "message"),
    [
        ("<% bad( %>", "yaql", "<% bad( %>", "Parse error: unexpected end of statement"),
        (
            "<% <% succeeded() %>",
            "yaql",
            "<% <% succeeded() %>",
            "Parse error: unexpected '<' at position 0 of expression '<% succeeded()'",
        ),
        ("{{ bad( }}", "jinja", "{{ bad( }}", "unexpected '}', expected ')'"),
        ("<% a %> {{ b }}", None, "<% a %> {{ b }}", "Expression with multiple types is not supported."),
    ],
)
def test_inspection_tells_what_the_parsers_say(text: str, language: str, expression: str, message: str) -> None:
    assert LANGUAGE.complaints({"k": [text]}) == [{"type": language, "expression": expression, "message": message}]


def test_variables_are_found_in_either_language() -> None:
    found = LANGUAGE.variables({"<% ctx(k) %>": ["{{ ctx().a.b }}", "<% ctx().get(x) + ctx().z[0] %>"]})
    assert [(language, name) for language, _, name in found] == [("jinja", "a"), ("yaql", "k"), ("yaql", "z")]


def test_a_text_says_which_languages_it_has() -> None:
    assert languages("x") == []
    assert languages("{% if a %}") == ["jinja"]
    assert languages("<% 1 %> {{ 2 }}") == ["jinja", "yaql"]


def test_twins_parse_and_evaluate_at_the_same_time_on_threads_of_their_own() -> None:
    """Parsers keep their state in themselves: two threads with one would read each other's words."""

    def evaluate(twin: Language, number: int) -> list[Any]:
        # Each text is another, so that each is parsed.
        return [
            twin.evaluate(f"<% list(range({number})).select($ + ctx().x + {at}).sum() %>", SCOPE) for at in range(200)
        ]

    with ThreadPoolExecutor(4) as threads:
        sums = list(threads.map(evaluate, [LANGUAGE.twin() for _ in range(4)], range(1, 5)))
    expected = [[sum(each + 4 + at for each in range(number)) for at in range(200)] for number in range(1, 5)]
    assert sums == expected
