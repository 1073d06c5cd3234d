"""Explanations: which failures count, and how their documents keep secrets and large values out."""

from __future__ import annotations

from typing import Any

from squall.core.event.rules.explanation import LARGEST_SHOWN, Comparison, Explanation, document


def compared(*verdicts: bool | None, errors: tuple[str, ...] = ("", "", "")) -> tuple[Comparison, ...]:
    return tuple(
        Comparison(key=f"trigger.{at}", operator="eq", exists=True, value=at, pattern=at, verdict=verdict, error=error)
        for at, (verdict, error) in enumerate(zip(verdicts, errors, strict=False))
    )


def explained(**changes: Any) -> Explanation:
    return Explanation(rule_id="1" * 24, rule_ref="p.r", **{"matches": False, **changes})


def test_a_rule_fails_if_its_first_criterion_without_a_match_has_an_error() -> None:
    failed = explained(comparisons=compared(True, False, False, errors=("", "no order", "")))
    assert failed.failure == "criterion trigger.1: no order"
    assert document(failed)["failure_reason"] == failed.failure


def test_an_error_behind_a_plain_mismatch_is_no_failure() -> None:
    unmet = explained(comparisons=compared(True, False, False, errors=("", "", "no order")))
    assert unmet.failure == ""
    assert "failure_reason" not in document(unmet)
    assert document(unmet)["criteria"][2]["error"] == "no order"


def test_a_match_without_parameters_is_a_failure() -> None:
    assert explained(matches=True, comparisons=compared(True), error="no key").failure == "no key"
    assert explained(matches=True, comparisons=compared(True), parameters={}).failure == ""


def test_a_document_has_every_comparison() -> None:
    shown = document(explained(comparisons=compared(True, None)))
    assert shown == {
        "rule": {"id": "1" * 24, "ref": "p.r"},
        "matches": False,
        "criteria": [
            {"key": "trigger.0", "type": "eq", "verdict": True, "exists": True, "value": 0, "pattern": 0},
            {"key": "trigger.1", "type": "eq", "verdict": None},
        ],
    }


def test_a_document_has_no_secrets() -> None:
    secret = Comparison(key="trigger.x", operator="eq", value="no", pattern="hunter2", verdict=False, is_secret=True)
    shown = document(
        explained(matches=True, comparisons=(secret,), parameters={"a": "hunter2", "b": 1}, secrets={"a": ["hunter2"]})
    )
    assert shown["parameters"] == {"a": "********", "b": 1}
    assert "hunter2" not in str(shown)


def test_a_document_cuts_large_values() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    parameters = {"text": "x" * 100_000, "list": ["ä"] * 100_000, "deep": deep, "small": {"a": 1}}
    shown = document(explained(matches=True, parameters=parameters))["parameters"]
    assert shown["text"].endswith("x… (100000 characters)")
    assert shown["list"].endswith("… (500001 bytes)")
    assert shown["small"] == {"a": 1}
    assert all(len(str(value)) < LARGEST_SHOWN + 100 for value in shown.values())
