"""Jinja templates, as parameters use them."""

from __future__ import annotations

import pytest

from squall.core.errors import InvalidError
from squall.core.expr.jinja import Jinja


@pytest.mark.parametrize("text", ["", "plain", "{ a }", "echo $HOME }}", "100%"])
def test_plain_text_is_no_template(text: str) -> None:
    assert Jinja().names(text) == frozenset()
    assert Jinja().render(text, {}) == text


@pytest.mark.parametrize("text", ["{{ 1 +", "{% if %}", "{{ a | nosuchfilter }}", "{# open", "{{ ((((( }}"])
def test_what_is_no_valid_template_is_plain_text(text: str) -> None:
    assert Jinja().names(text) == frozenset()
    assert Jinja().render(text, {}) == text


def test_the_free_names_of_a_template_are_told() -> None:
    text = "{{ a.b }} {% for x in items %}{{ x }}{{ c }}{% endfor %} {% set d = 1 %}{{ d }} {{ range(3) }}"
    assert Jinja().names(text) >= {"a", "items", "c"}
    assert not {"x", "d", "b"} & Jinja().names(text)


def test_a_block_takes_its_own_line_with_it() -> None:
    assert Jinja().render("{% if a %}\n  {% if a %}\nyes\n  {% endif %}\n{% endif %}\n", {"a": 1}) == "yes\n"


def test_nothing_is_escaped() -> None:
    assert Jinja().render("{{ a }}", {"a": "<&\"'>"}) == "<&\"'>"


@pytest.mark.parametrize(
    "text",
    [
        "{{ nosuch }}",
        "{{ a.nosuch }}",
        "{{ a['x'].y.z }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ a.update({'x': 1}) }}",
        "{{ [].append(1) }}",
        "{{ range(10000000) }}",
        "{{ 1 // 0 }}",
        "{{ '%d' | format('x') }}",
    ],
)
def test_a_template_that_asks_for_too_much_fails_and_changes_nothing(text: str) -> None:
    value: dict[str, dict[str, str]] = {"x": {}}
    with pytest.raises(InvalidError):
        Jinja().render(text, {"a": value})
    assert value == {"x": {}}


def test_a_template_that_recurses_for_ever_fails() -> None:
    with pytest.raises(InvalidError):
        Jinja().render("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", {})


def test_more_templates_than_are_kept_compiled_all_render() -> None:
    jinja = Jinja()
    texts = [f"{{{{ a }}}} {number}" for number in range(600)]
    for _ in range(2):
        assert [jinja.render(text, {"a": 1}) for text in texts] == [f"1 {number}" for number in range(600)]
