"""Why something failed, as one line tells it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any, cast

import pytest

from squall.cli.output.endings import Reason, closing_line, failure, reason_of
from squall.client.api import Api

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
        ({"return_code": 4, "stderr": 4}, 4, "4"),
        ({"return_code": 4, "stderr": {"message": "ä"}}, 4, '{"message": "ä"}'),
        ({"status_code": 404, "body": "x"}, None, "HTTP 404 Not Found"),
        ({"status_code": 799}, None, "HTTP 799"),
        ({"error": 'Unable to connect.\n\n connect_errors={\n "a": {"error": "no route"}}'}, None, "no route"),
        (
            {"error": 'x connect_errors={"a": {"error": "no route"}, "b": {"error": "q"}, "c": {"error": "q"}}'},
            None,
            "no route (and 2 more hosts)",
        ),
        ({"error": "Unable to connect. connect_errors={cut"}, None, "Unable to connect."),
    ],
)
def test_an_action_tells_its_exit_code_and_its_last_words(result: Any, code: int | None, text: str) -> None:
    assert reason_of(result) == Reason(code, text)


@pytest.mark.parametrize(
    ("returned", "text"),
    [
        ("no luck", "no luck"),
        ({"code": 3, "error": "db down"}, "db down"),
        ({"message": "", "reason": "full"}, "full"),
        ({"code": 3}, '{"code": 3}'),
        (["a", 1], '["a", 1]'),
        (5, "5"),
        (None, "last words"),
        ("", "last words"),
        ({}, "last words"),
    ],
)
def test_a_python_action_that_returned_a_failure_tells_what_it_returned(returned: Any, text: str) -> None:
    result = {"exit_code": 0, "stderr": "last words\n", "result": returned}
    assert reason_of(result) == Reason(None, text)
    errors = [{"task_id": "a", "message": GENERIC, "result": result}]
    assert reason_of({"output": None, "errors": errors}).text == f"task a failed: {text}"


def test_a_python_action_that_broke_tells_its_traceback_and_not_its_result() -> None:
    result = {"exit_code": 1, "stderr": "ValueError: bad\n\n", "result": "None"}
    assert reason_of(result) == Reason(1, "ValueError: bad")


@pytest.mark.parametrize(
    ("stderr", "text"),
    [
        (
            'Traceback\n  File "a.py", line 1\n    run()\nValueError: no key.\nAdd it.\n\n',
            "ValueError: no key. Add it.",
        ),
        ('  File "a.py", line 4\n    print(1\n         ^\nSyntaxError: open\n', "SyntaxError: open"),
        ('  File "a", line 1\nA: first\n\nThen\n  File "b", line 2\n    x\nB: second\n', "B: second"),
        ("a warning\nthe end\n", "the end"),
    ],
)
def test_a_message_of_several_lines_is_told_whole(stderr: str, text: str) -> None:
    assert reason_of({"exit_code": 1, "stderr": stderr, "result": "None"}) == Reason(1, text)


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
        ([{"task_id": "fail", "message": GENERIC}], 'the workflow ran its command "fail"'),
        (["odd"], ""),
    ],
)
def test_a_workflow_tells_the_task_that_failed_and_its_reason(errors: list[Any], text: str) -> None:
    assert reason_of({"output": None, "errors": errors}) == Reason(None, text)


class FakeApi:
    """An API with one failed execution. `api.client.stream` gives the last lines of its stderr."""

    def __init__(self, result: dict[str, Any], stderr: bytes) -> None:
        self.client = self
        self.result = result
        self.stderr = stderr

    def execution(self, _id: str, only: str) -> dict[str, Any]:
        parts = [part.removeprefix("result.") for part in only.split(",")]
        return {"result": {name: value for name, value in self.result.items() if name in parts}}

    @contextmanager
    def stream(self, _path: str, query: dict[str, Any]) -> Iterator[BytesIO]:
        yield BytesIO(b"".join(self.stderr.splitlines(keepends=True)[-query["tail"] :]))


@pytest.mark.parametrize(
    ("result", "stderr", "reason"),
    [
        ({"exit_code": 1, "result": "None"}, b"  File\nValueError: bad\n\n\n", Reason(1, "ValueError: bad")),
        ({"exit_code": 0, "result": "no luck"}, b"", Reason(None, "no luck")),
        ({"exit_code": 0, "result": None}, b"ERROR  full\n", Reason(None, "ERROR  full")),
        ({"exit_code": 0, "result": None}, b"", Reason(None, "the action reported a failure without a reason")),
        ({"return_code": 3}, b"", Reason(3, "")),
        ({"status_code": 500}, b"", Reason(None, "HTTP 500 Internal Server Error")),
    ],
)
def test_the_reason_comes_from_the_result_or_else_from_the_last_line_of_stderr(
    result: dict[str, Any], stderr: bytes, reason: Reason
) -> None:
    assert failure(cast(Api, FakeApi(result, stderr)), "x") == reason


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
