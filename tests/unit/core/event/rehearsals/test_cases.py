"""Test cases of rules say what deviates, and refuse what expects nothing."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.errors import InvalidError
from squall.core.event.rehearsals.cases import deviations, read_cases
from squall.core.event.rules.reading import make_rule
from squall.core.expr.jinja import Jinja

RULE = {
    "name": "alert",
    "trigger": {"type": "core.st2.webhook", "parameters": {"url": "alerts"}},
    "criteria": {"trigger.body.severity": {"type": "gt", "pattern": 3}},
    "action": {"ref": "core.echo", "parameters": {"message": "severity {{ trigger.body.severity }}"}},
}


def run(*cases: dict[str, Any], rule: dict[str, Any] | None = None, **others: Any) -> list[str]:
    tests = read_cases({"rule": RULE, "cases": list(cases), **others})
    return deviations(tests, make_rule(rule or RULE), Jinja(), 0)


def test_cases_that_hold_have_no_deviation() -> None:
    severe = {"payload": {"body": {"severity": 5}}, "matches": True, "parameters": {"message": "severity 5"}}
    assert run(severe, {"payload": {"body": {"severity": 1}}, "matches": False}) == []


def test_parameters_alone_expect_a_match() -> None:
    [line] = run({"name": "mild", "payload": {"body": {"severity": 1}}, "parameters": {"message": "x"}})
    assert line == "mild: the rule does not match: trigger.body.severity is 1, gt 3 does not hold"


def test_a_match_that_is_not_expected_is_a_deviation() -> None:
    assert run({"payload": {"body": {"severity": 5}}, "matches": False}) == ["case 0: the rule matches"]


@pytest.mark.parametrize(("expected", "actual"), [({"message": "other"}, '"severity 5"'), ({"nosuch": 1}, "nothing")])
def test_other_parameters_are_deviations(expected: dict[str, Any], actual: str) -> None:
    [line] = run({"payload": {"body": {"severity": 5}}, "parameters": expected})
    assert line.endswith(f"got {actual}")


def test_types_of_parameters_are_compared() -> None:
    action = {"ref": "core.echo", "parameters": {"a": True}}
    [line] = run({"payload": {"body": {"severity": 5}}, "parameters": {"a": 1}}, rule={**RULE, "action": action})
    assert line == "case 0: parameter a: expected 1, got true"


def test_a_failure_is_expected_by_a_part_of_its_reason() -> None:
    wrong = {"payload": {"body": {"severity": "high"}}, "failure": "severity"}
    assert run(wrong) == []
    [line] = run({**wrong, "failure": "another reason"})
    assert "expected the failure 'another reason'" in line


def test_keys_of_the_datastore_are_those_of_the_file() -> None:
    criteria = {"trigger.body.team": {"type": "eq", "pattern": "{{ st2kv.system.team }}"}}
    rule = {**RULE, "criteria": criteria, "action": {"ref": "core.noop"}}
    assert (
        run({"payload": {"body": {"team": "ops"}}, "matches": True}, rule=rule, keys={"system": {"team": "ops"}}) == []
    )


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({}, "rule"),
        ([], "object"),
        ({"rule": "a.yaml", "cases": []}, "cases: there are none"),
        ({"rule": "a.yaml", "cases": [{"payload": {}}]}, "cases.0: it expects nothing"),
        ({"rule": "a.yaml", "cases": [{"match": True}]}, "match"),
        ({"rule": 3, "cases": [{"matches": True}]}, "rule"),
    ],
)
def test_what_is_no_file_of_test_cases_is_refused(document: Any, complaint: str) -> None:
    with pytest.raises(InvalidError, match=complaint):
        read_cases(document)
