"""Why something failed, as one line tells it."""

from __future__ import annotations

from typing import Any

import pytest

from squall.cli.output.endings import Reason, closing_line, reason_of

GENERIC = "Execution failed. See result for details."
SHELL = {"failed": True, "succeeded": False, "return_code": 7, "stdout": "out", "stderr": "one\ntwo\n\n"}


@pytest.mark.parametrize(
    ("result", "code", "text"),
    [
        (None, None, ""),
        ("text", None, ""),
        ({}, None, ""),
        (SHELL, 7, "two"),
        ({"return_code": 7}, 7, ""),
        ({"exit_code": 1, "stderr": "Traceback\nValueError: bad\n"}, 1, "ValueError: bad"),
        ({"return_code": 0, "stderr": "only a warning"}, None, "only a warning"),
        ({"error": "it\nbroke\x1b[2J"}, None, "it broke�[2J"),
        ({"error": "too slow", "return_code": -9}, -9, "too slow"),
        ({"web1": {"succeeded": True}, "web2": SHELL}, None, "web2 failed (exit 7): two"),
    ],
)
def test_an_action_tells_its_exit_code_and_its_last_words(result: Any, code: int | None, text: str) -> None:
    assert reason_of(result) == Reason(code, text)


@pytest.mark.parametrize(
    ("errors", "text"),
    [
        ([{"task_id": "a", "message": GENERIC, "result": SHELL}], "task a failed (exit 7): two"),
        ([{"task_id": "a", "message": GENERIC}], "task a failed"),
        ([{"task_id": "a", "message": "No such item."}], "task a failed: No such item."),
        (
            [{"task_id": "fail", "message": GENERIC}, {"task_id": "a", "message": GENERIC, "result": SHELL}],
            "task a failed (exit 7): two (and 1 more error)",
        ),
        (
            [{"task_id": "a", "result": {"errors": [{"task_id": "b", "result": SHELL}], "output": None}}] * 3,
            "task a/b failed (exit 7): two (and 2 more errors)",
        ),
        ([{"message": "Not defined.", "spec_path": "tasks.a"}], "Not defined. (at tasks.a)"),
        ([{"message": "Refused."}], "Refused."),
        (["odd"], ""),
    ],
)
def test_a_workflow_tells_the_task_that_failed_and_its_reason(errors: list[Any], text: str) -> None:
    assert reason_of({"output": None, "errors": errors}) == Reason(None, text)


def test_a_chain_tells_its_last_task() -> None:
    tasks = [{"name": "one", "state": "succeeded"}, {"name": "two", "state": "failed", "result": SHELL}]
    assert reason_of({"tasks": tasks}).text == "task two failed (exit 7): two"


def test_a_long_reason_is_cut() -> None:
    assert len(reason_of({"error": "x" * 10_000}).text) == 500


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        (Reason(), "failed in 2.5 s · x"),
        (Reason(7, "two"), "failed (exit 7) in 2.5 s · x: two"),
        (Reason(-9), "failed (killed by signal 9) in 2.5 s · x"),
        (Reason(None, "task a failed"), "failed in 2.5 s · x: task a failed"),
    ],
)
def test_the_closing_line_has_the_reason_at_its_end(reason: Reason, line: str) -> None:
    assert closing_line({"status": "failed", "id": "x", "elapsed_seconds": 2.5}, reason) == line


def test_an_execution_that_was_ended_by_squall_does_not_tell_of_the_signal() -> None:
    assert closing_line({"status": "timeout", "id": "x"}, Reason(-9, "too slow")) == "timeout · x: too slow"
