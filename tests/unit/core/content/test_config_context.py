"""A pack's configuration in templates."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.content.config_context import ConfigContext
from squall.core.expr.jinja import Jinja

VALUES = {"region": "eu", "token": "hidden", "inner": {"key": "deep", "open": 1}, "many": [{"pin": 1234}]}
SECRETS = frozenset({"hidden", "deep", "1234"})


def rendered(template: str) -> tuple[str, list[Any]]:
    opened: list[Any] = []
    text = Jinja().render(template, {"config_context": ConfigContext(VALUES, SECRETS, opened.append)})
    return text, sorted(set(opened), key=str)


@pytest.mark.parametrize(
    ("template", "text", "opened"),
    [
        ("{{ config_context.region }}", "eu", []),
        ("{{ config_context['token'] }}", "hidden", ["hidden"]),
        ("{{ config_context.inner.open }}", "1", []),
        ("{{ config_context.inner.key | upper }}", "DEEP", ["deep"]),
        ("{{ config_context.get('token') }}{{ config_context.get('no', 'x') }}", "hiddenx", ["hidden"]),
        ("{{ config_context.many[0].pin }}", "1234", [1234]),
        ("{% for k, v in config_context.inner.items() %}{{ k }}{% endfor %}", "keyopen", ["deep"]),
        ("{{ config_context.inner.values() | list | length }}", "2", ["deep"]),
    ],
)
def test_reading_a_secret_is_told_and_reading_another_value_is_not(template: str, text: str, opened: list[Any]) -> None:
    assert rendered(template) == (text, opened)


@pytest.mark.parametrize("template", ["{{ config_context }}", "{{ config_context | to_json_string }}"])
def test_whoever_shows_all_of_it_has_read_every_secret(template: str) -> None:
    text, opened = rendered(template)
    assert "hidden" in text
    assert opened == [1234, "deep", "hidden"]
