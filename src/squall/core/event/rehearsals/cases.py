"""Test cases of rules: events, and what a rule must decide about each. They need no server.

A file of test cases stands beside the rules of a pack, in `tests/rules`:

    rule: rules/on_alert.yaml
    keys: {system: {limit: "3"}}
    cases:
      - name: a severe alert pages somebody
        payload: {body: {severity: 5}}
        matches: true
        parameters: {message: "severity 5"}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from squall.core.errors import InvalidError
from squall.core.event.rehearsals.timelines import Timeline, compared
from squall.core.event.rules.evaluating import evaluate
from squall.core.event.rules.explanation import Explanation
from squall.core.event.rules.parameters import Setting
from squall.core.event.rules.records import Rule
from squall.core.expr.jinja import Jinja

_LONGEST = 200


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One event, and the expected decision. `parameters` are those of the action that are compared; `failure` is a part
    of the reason why the rule fails. What is absent is not compared."""

    name: str = ""
    payload: Any = {}
    matches: bool | None = None
    parameters: dict[str, Any] | None = None
    failure: str | None = None


class RuleTests(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The test cases of one rule. `rule` is the path of its file or the rule itself, `keys` are the datastore.
    `over_time` are cases of several events."""

    rule: str | dict[str, Any]
    cases: list[Case] = []
    over_time: list[Timeline] = []
    keys: dict[str, dict[str, str]] = {}


def read_cases(document: Any) -> RuleTests:
    """Returns the test cases in a document. Raises `InvalidError`, which names the field."""
    try:
        tests = msgspec.convert(document, RuleTests)
    except msgspec.ValidationError as error:
        allowed = (
            "rule, cases (name, payload, matches, parameters, failure), over_time (name, events, fires, until) and keys"
        )
        raise InvalidError(f"{error}. A file of test cases has {allowed}.") from None
    if not tests.cases and not tests.over_time:
        raise InvalidError("cases: there are none, nor any over_time.")
    for at, case in enumerate(tests.cases):
        if case.matches is None and case.parameters is None and case.failure is None:
            raise InvalidError(f"cases.{at}: it expects nothing. Add matches, parameters or failure.")
    return tests


def deviations(tests: RuleTests, rule: Rule, templates: Jinja, now: int) -> list[str]:
    """Runs the cases, at `now` (µs since 1970), and those over time, which begin at 1970. Returns a line for each
    deviation from what they expect."""
    keys = {"system": tests.keys.get("system", {}), "user": tests.keys.get("user", {})}
    lines: list[str] = []
    for at, case in enumerate(tests.cases):
        explanation = evaluate(rule, case.payload, keys, Setting(templates, now))
        name = case.name or f"case {at}"
        lines += [f"{name}: {line}" for line in _compared(case, explanation)]
    for at, timeline in enumerate(tests.over_time):
        name = timeline.name or f"over_time {at}"
        lines += [f"{name}: {line}" for line in compared(timeline, rule, keys, templates)]
    return lines


def _compared(case: Case, explanation: Explanation) -> list[str]:
    expects_match = case.matches if case.matches is not None else case.parameters is not None or None
    lines = []
    if expects_match is not None and explanation.matches != expects_match:
        verb = "matches" if explanation.matches else "does not match"
        lines.append(f"the rule {verb}" + ("" if explanation.matches else f": {_why_not(explanation)}"))
    if case.failure is not None and case.failure not in explanation.failure:
        lines.append(f"expected the failure {case.failure!r}, got {explanation.failure or 'none'!r}")
    elif case.failure is None and explanation.matches and explanation.failure:
        lines.append(f"the rule fails: {explanation.failure}")
    for name, expected in (case.parameters or {}).items():
        actual = _parameter(explanation.parameters, name)
        if explanation.parameters is not None and actual != json.dumps(expected):
            lines.append(f"parameter {name}: expected {json.dumps(expected):.{_LONGEST}}, got {actual:.{_LONGEST}}")
    return lines


def _parameter(parameters: Mapping[str, Any] | None, name: str) -> str:
    if parameters is None or name not in parameters:
        return "nothing"
    return json.dumps(parameters[name])


def _why_not(explanation: Explanation) -> str:
    for each in explanation.comparisons:
        if not each.verdict:
            value = json.dumps(each.value, default=str)
            pattern = json.dumps(each.pattern, default=str)
            reason = f" ({each.error})" if each.error else ""
            return f"{each.key} is {value:.{_LONGEST}}, {each.operator} {pattern:.{_LONGEST}} does not hold{reason}"
    return explanation.failure or "it has no criterion that fails"
