"""Which expressions are evaluated in the server's own process: those whose cost can be seen."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.expr.bounds.evaluator import NeedsProcess, NoEvaluator
from squall.core.expr.jinja import Jinja
from squall.core.expr.language import Language
from squall.core.expr.scope import CurrentTask, Scope, Variables

LANGUAGE = Language(evaluator=NoEvaluator())
SCOPE = Scope(
    Variables({"a": {"b": [1, 2]}, "x": 4, "s": "text"}), CurrentTask("t", 0, "succeeded", {"stdout": "hi"}), {"k": 1}
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("<% ctx().a.b[0] = 1 and not failed() %>", True),
        ("<% ctx(x) + 1 > 2 %>", True),
        ("<% result().stdout %> and <% item(k) %>", "hi and 1"),
        ("<% {y => ctx(x)} %>", {"y": 4}),
        ("<% ctx().a.b.len() %>", 2),
        ("{{ ctx().a.b[1] }}", 2),
        ("{{ ctx('x') ~ ' ' ~ result().stdout }}", "4 hi"),
        ("{{ ctx().s | upper }}", "TEXT"),
        ("{% if succeeded() %}yes{% else %}no{% endif %}", "yes"),
    ],
)
def test_paths_comparisons_and_constants_are_cheap(text: str, value: Any) -> None:
    assert LANGUAGE.evaluate(text, SCOPE) == value


@pytest.mark.parametrize(
    "text",
    [
        "<% range(1000000000).len() %>",
        "<% ctx().a.b.select($ + 1) %>",
        "<% regex('(a|a)*b').search(ctx().s) %>",
        "<% ctx().s * 1000 %>",
        "{{ 'aaaa' | regex_search('(a|a){40}b') }}",
        "{{ ctx().s.center(100) }}",
        "{{ ctx().a.b | sort }}",
        "{{ ctx().s * 1000 }}",
        "{{ 10 ** 1000 }}",
        "{{ ctx().s[::2] }}",
        "{% for i in range(9) %}{{ i }}{% endfor %}",
        "{% if %}{{ 'a' | regex_search('b') }}",
        "<% ctx(x) %>" + " " * 5000,
        "<% " + " + ".join(["ctx(x)"] * 60) + " %>",
        "<% ctx(x) %>" * 40,
        "{{ ctx().x }}" * 40,
    ],
)
def test_whatever_may_take_long_needs_a_process(text: str) -> None:
    with pytest.raises(NeedsProcess):
        LANGUAGE.evaluate(text, SCOPE)


@pytest.mark.parametrize("method", ["render", "value", "names", "check"])
@pytest.mark.parametrize(
    "text", ["{{ 'aaaa' | regex_search('(a|a){40}b') }}", "{% for i in a %}{% endfor %}", "{{ {% }}"]
)
def test_a_template_that_is_not_cheap_is_not_even_compiled_here(text: str, method: str) -> None:
    # Jinja evaluates constants, also filters of constants, when it compiles.
    jinja = Jinja(None, NoEvaluator())
    arguments: list[Any] = [{}] if method in ("render", "value") else []
    with pytest.raises(NeedsProcess):
        getattr(jinja, method)(text, *arguments)


def test_cheap_templates_are_rendered_here() -> None:
    jinja = Jinja(None, NoEvaluator())
    assert jinja.names("{{ a.b }} {{ c | default(1) }}") == {"a", "c"}
    assert jinja.render("{{ a.b }} {{ c | default(1) }}", {"a": {"b": "x"}}) == "x 1"
    assert jinja.value("{{ a }}", {"a": [1]}) == [1]
    jinja.check("{{ a }}")


def test_inspecting_an_expression_evaluates_nothing_of_it() -> None:
    # Evaluated, the first would take the rest of the day.
    assert LANGUAGE.complaints(["{{ range(10 ** 12) | list | length }}", "<% range(1000000000000).len() %>"]) == []
