"""How decisions are shown."""

from __future__ import annotations

from squall.cli.event.decisions import lines_of

DECISION = {
    "rule": {"ref": "p.r", "id": ""},
    "matches": False,
    "outcome": "no_match",
    "criteria": [
        {"key": "trigger.a", "type": "eq", "verdict": True, "exists": True, "value": 1, "pattern": 1},
        {"key": "trigger.b", "type": "gt", "verdict": False, "exists": False, "pattern": 2, "error": "no number"},
        {"key": "trigger.c", "type": "exists", "verdict": None},
    ],
}


def test_each_criterion_has_a_line_with_its_verdict() -> None:
    assert list(lines_of(DECISION)) == [
        "p.r does not match",
        "  yes trigger.a (1) eq 1",
        "  NO  trigger.b (nothing) gt 2: no number",
        "  - trigger.c exists (not compared)",
    ]


def test_parameters_reasons_and_executions_are_shown() -> None:
    decision = {"rule": {"ref": ""}, "outcome": "fired", "parameters": {"cmd": "x" * 100}, "execution_id": "6" * 24}
    lines = list(lines_of({**decision, "failure_reason": "two\nlines"}))
    assert lines[0] == "the rule fired"
    assert lines[1].startswith("  cmd = ")
    assert lines[1].endswith("…")
    assert lines[2:] == ["  reason: two lines", f"  execution: {'6' * 24}"]


def test_a_decision_without_an_outcome_says_whether_the_rule_matches() -> None:
    assert next(iter(lines_of({"rule": {"ref": "p.r"}, "matches": True}))) == "p.r matches"


def test_the_reason_that_kept_a_match_back_is_shown() -> None:
    lines = list(lines_of({"rule": {"ref": "p.r"}, "outcome": "kept_back", "reason": "throttled"}))
    assert lines == ["p.r matches, but was kept back", "  reason: throttled"]


def test_what_an_event_says_cannot_move_the_cursor() -> None:
    criterion = {"key": "trigger.a", "type": "eq", "verdict": False, "exists": True, "value": "\x1b[2J", "pattern": 1}
    assert "\x1b" not in "".join(lines_of({**DECISION, "criteria": [criterion]}))
