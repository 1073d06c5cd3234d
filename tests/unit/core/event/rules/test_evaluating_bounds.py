"""What the evaluation of a rule may take: time on the event loop, time of templates, and no secrets in its errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from tests.unit.core.event.rules.test_evaluating import KEYS, NOW, SETTING, rule

from squall.core.event.rules.evaluating import NO_KEYS, evaluate
from squall.core.event.rules.explanation import document
from squall.core.event.rules.parameters import Setting
from squall.core.expr.bounds.evaluator import NeedsProcess
from squall.core.expr.jinja import Jinja
from squall.core.schema.taint import Taint


class StoppableTemplates(Jinja):
    """Templates that record the templates with regular expressions."""

    def __init__(self) -> None:
        super().__init__()
        self.expressions: list[str] = []

    def value(self, text: str, names: Mapping[str, Any]) -> Any:
        if "pattern" in names:
            self.expressions.append(names["pattern"])
        return super().value(text, names)


@pytest.mark.parametrize(
    ("operator", "pattern", "verdict"),
    [
        ("regex", "x{900}$", True),
        ("iregex", "X{900}$", True),
        ("matchregex", "x{900}.x", True),
        ("matchregex", "y?z{900}", False),
        ("matchwildcard", "x*" + "[a-z]" * 300, True),
    ],
)
def test_an_expression_that_may_take_long_runs_where_it_can_be_stopped(
    operator: str, pattern: str, verdict: bool
) -> None:
    templates = StoppableTemplates()
    criteria = {"trigger.t": {"type": operator, "pattern": pattern}}
    explained = evaluate(rule(criteria), {"t": "x" * 400_000}, NO_KEYS, Setting(templates, NOW))
    assert (explained.matches, explained.failure, len(templates.expressions)) == (verdict, "", 1)
    assert evaluate(rule(criteria), {"t": "x" * 20}, NO_KEYS, Setting(templates, NOW)).failure == ""
    assert len(templates.expressions) == 1


@pytest.mark.parametrize(
    ("criteria", "payload"),
    [
        ({"trigger.t": {"type": "regex", "pattern": "[ab]*a[ab]{500}c"}}, {"t": "ab" * 5_000}),
        ({f"trigger.t#{n}": {"type": "regex", "pattern": f"a{n}|a"} for n in range(400)}, {"t": "a"}),
        ({"trigger..*": {"type": "eq", "pattern": 1}, "trigger..x": {"type": "nexists"}}, {"t": [[1]] * 20_000}),
        (
            {"trigger.t": {"type": "search", "condition": "all", "pattern": {"item": {"type": "eq", "pattern": 1}}}},
            {"t": [1] * 5_000},
        ),
    ],
)
def test_a_brief_evaluation_ends_before_it_takes_long(criteria: dict[str, Any], payload: Any) -> None:
    brief = Setting(Jinja(), NOW, is_brief=True)
    with pytest.raises(NeedsProcess):
        evaluate(rule(criteria), payload, NO_KEYS, brief, all_criteria=True)
    assert evaluate(rule(criteria), payload, NO_KEYS, SETTING).rule_ref == "peer.r"


def test_the_templates_of_a_rule_take_a_limited_time_together() -> None:
    now = [0.0]

    class Slow(Jinja):
        def value(self, text: str, names: Mapping[str, Any]) -> Any:
            now[0] += 9.0
            return super().value(text, names)

    criteria = {f"trigger.n#{n}": {"type": "eq", "pattern": "{{ 1 + 0 }}"} for n in range(500)}
    explained = evaluate(rule(criteria), {"n": 1}, NO_KEYS, Setting(Slow(), NOW, seconds=lambda: now[0]))
    assert "more than 60 seconds" in explained.failure
    assert now[0] < 80


@pytest.mark.parametrize("operator", ["regex", "iregex", "matchregex"])
def test_the_error_of_a_pattern_from_a_secret_does_not_quote_it(operator: str) -> None:
    taint = Taint()

    def decrypted(_ciphertext: Any) -> str:
        taint.open("hunter2(")
        return "hunter2("

    templates = Jinja(decrypted)
    criterion = {"type": operator, "pattern": "{{ st2kv.system.limit | decrypt_kv }}"}
    inner = {"type": "search", "condition": "any", "pattern": {"item.a": criterion}}
    for criteria, payload in (({"trigger.t": criterion}, {"t": "x"}), ({"trigger.t": inner}, {"t": [{"a": "x"}]})):
        explained = evaluate(rule(criteria), payload, KEYS, Setting(templates, NOW, taint=taint))
        assert "secret" in explained.failure
        assert "hunter2" not in str(document(explained))
