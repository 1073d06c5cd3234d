from __future__ import annotations

from typing import Any

import msgspec
import pytest

from squall.core.errors import InvalidError
from squall.core.execution.execution import Execution, LogEntry
from squall.core.execution.inquiry import check_question, check_response, inquiry_of, is_over, question
from squall.testing.samples import sample_execution

SCHEMA = {
    "type": "object",
    "properties": {"secondfactor": {"type": "string", "required": True}, "n": {"type": "integer"}},
    "additionalProperties": False,
}


def asked(status: str = "pending", **changes: Any) -> Execution:
    result = {**question({"schema": SCHEMA, "ttl": 60}), **changes}
    return msgspec.structs.replace(
        sample_execution(1), runner="inquirer", status=status, result=result, log=(LogEntry(1_000, status),)
    )


def test_a_pending_execution_asks_its_question() -> None:
    inquiry = inquiry_of(asked(users=["ada"], route="dev"))
    assert (inquiry.route, inquiry.ttl, inquiry.users, inquiry.roles, inquiry.schema) == (
        "dev", 60, ["ada"], [], SCHEMA
    )  # fmt: skip


@pytest.mark.parametrize(
    ("execution", "text"),
    [
        (sample_execution(1), "is not an inquiry."),
        (asked("succeeded"), "has already been responded to."),
        (asked("timeout"), "timed out and can no longer be responded to"),
        (asked("running"), "is running and cannot be responded to"),
    ],
)
def test_what_asks_nothing_any_more_says_so(execution: Execution, text: str) -> None:
    with pytest.raises(InvalidError, match=text):
        inquiry_of(execution)


def test_a_response_must_fit_what_was_asked_for() -> None:
    inquiry = inquiry_of(asked())
    check_response(inquiry, {"secondfactor": "bacon", "n": 3})
    wrong: tuple[Any, ...] = ({"n": 3}, {}, {"secondfactor": 3}, {"secondfactor": "x", "more": 1}, [], None, "text")
    for response in wrong:
        with pytest.raises(InvalidError, match="did not pass schema validation"):
            check_response(inquiry, response)


@pytest.mark.parametrize(
    ("ttl", "minutes", "over"), [(60, 59, False), (60, 60, True), (0, 9999, False), (None, 9, False)]
)
def test_an_inquiry_is_over_when_its_minutes_are(ttl: int | None, minutes: int, over: bool) -> None:
    assert is_over(asked(ttl=ttl), 1_000 + minutes * 60_000_000) is over


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array"},
        {"type": ["string", "null"]},
        {"enum": ["yes", "no"]},
        {"allOf": [{"type": "integer"}]},
        {"anyOf": [{"type": "string"}, {"enum": [1]}]},
        {"oneOf": [{"type": "boolean"}]},
        {"not": {}},
        {"minProperties": 2, "maxProperties": 1},
    ],
)
def test_a_question_that_no_object_can_answer_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(InvalidError, match="The schema is wrong: it accepts no object, but a response is one"):
        check_question(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": ["object", "null"]},
        {"enum": ["yes", {"a": 1}]},
        {"anyOf": [{"type": "string"}, {"required": ["a"]}]},
        {"not": {"required": ["a"]}},
        {"properties": {"type": {"type": "string"}, "enum": {"enum": [1]}}},
    ],
)
def test_a_question_that_an_object_can_answer_is_asked(schema: dict[str, Any]) -> None:
    check_question(schema)
