"""The bounded Jinja environment."""

from __future__ import annotations

import pytest

from squall.core.expr.bounds.errors import LimitExceededError
from squall.core.expr.sandbox import Environment, names_with_budget

ENVIRONMENT = Environment(decrypt_kv=lambda value: f"<{value}>")


def render(text: str) -> str:
    return ENVIRONMENT.from_string(text).render(names_with_budget({"s": "ab", "l": [1, 2]}))


def test_templates_do_what_they_always_did() -> None:
    assert render("{% for i in l %}{{ loop.index }}{{ i ~ s }} {% endfor %}") == "11ab 22ab "
    assert render("{{ 'x' | replace('x', 'y') }}{{ '%s-%s' | format(1, 2) }}{{ s | center(6) }}") == "y1-2  ab  "
    assert render("{{ l | join(',') }}{{ l | map('string') | join('+') }}{{ l | tojson }}") == "1,21+2[1, 2]"
    assert render("{{ 1 is in l }}{{ '{} {}'.format(1, s) }}") == "True1 ab"
    assert render("{% macro m(a) %}[{{ a }}]{% endmacro %}{{ m(1) }}{{ m(s) }}") == "[1][ab]"


def test_keys_are_decrypted_by_what_was_given() -> None:
    assert render("{{ s | decrypt_kv }}") == "<ab>"
    with pytest.raises(ValueError, match="decrypt_kv cannot be used here"):
        Environment().from_string("{{ 'a' | decrypt_kv }}").render(names_with_budget({}))


def test_recursive_loops_are_counted() -> None:
    with pytest.raises(LimitExceededError):
        render("{% for i in range(90000) recursive %}{% for j in range(90000) %}{% endfor %}{% endfor %}")
