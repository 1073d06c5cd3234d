"""Which notifications an ended execution sends, and with what payload."""

from __future__ import annotations

import pytest

from squall.core.errors import InvalidError
from squall.core.event.internal.notifications import MOST_ROUTES, names_for, parts_of, payloads_of
from squall.core.execution.statuses import FINAL
from squall.testing.samples import sample_execution

ALL = {name: {"routes": ["r"]} for name in ("on-complete", "on-success", "on-failure")}


@pytest.mark.parametrize("status", sorted(FINAL))
def test_success_and_failure_exclude_each_other_and_a_cancel_is_neither(status: str) -> None:
    names = [part.name for part in parts_of(sample_execution(status=status, notify=ALL))]
    expected = {"succeeded": ["on-success"], "canceled": []}.get(status, ["on-failure"])
    assert names == ["on-complete", *expected]


def test_nothing_is_sent_without_an_end_or_without_routes() -> None:
    assert parts_of(sample_execution(status="running", notify=ALL)) == []
    assert parts_of(sample_execution(status="succeeded", notify={"on-complete": {"message": "m"}})) == []


def test_channels_are_routes_by_their_older_name() -> None:
    (part,) = parts_of(sample_execution(status="succeeded", notify={"on-complete": {"channels": ["c"]}}))
    assert part.routes == ("c",)


@pytest.mark.parametrize("section", [None, [], "text", {"routes": "text"}, {"routes": [1, None]}])
def test_a_malformed_part_is_ignored(section: object) -> None:
    assert parts_of(sample_execution(status="succeeded", notify={"on-complete": section})) == []


def test_the_number_of_routes_is_limited() -> None:
    notify = {"on-complete": {"routes": [str(number) for number in range(1000)]}}
    (part,) = parts_of(sample_execution(status="succeeded", notify=notify))
    assert len(part.routes) == MOST_ROUTES


def test_the_payload_has_rendered_texts_and_the_result_as_json() -> None:
    notify = {"on-success": {"routes": ["r"], "message": "m", "data": {"a": ["d"], "n": 1}}}
    execution = sample_execution(status="succeeded", notify=notify, result={"x": 1}, end=1_000_000)
    (part,) = parts_of(execution)
    (payload,) = payloads_of(execution, part, str.upper, [])
    assert payload["message"] == "M"
    assert payload["data"] == {"a": ["D"], "n": 1, "result": '{"x": 1}'}
    assert payload["route"] == payload["channel"] == "r"
    assert payload["end_timestamp"] == "1970-01-01T00:00:01.000000Z"


def test_a_text_that_cannot_be_rendered_is_sent_as_it_is_and_reported() -> None:
    def fails(_text: str) -> str:
        raise InvalidError("no such name")

    execution = sample_execution(status="failed", notify={"on-failure": {"routes": ["r"], "message": "{{ x }}"}})
    problems: list[str] = []
    (payload,) = payloads_of(execution, parts_of(execution)[0], fails, problems)
    assert payload["message"] == "{{ x }}"
    assert problems == ["notify.on-failure.message: no such name"]


def test_templates_read_parameters_context_results_and_keys() -> None:
    execution = sample_execution(parameters={"p": 1}, context={"user": "ada"}, result={"r": 2})
    assert names_for(execution, {"system": {}}) == {
        "st2kv": {"system": {}},
        "action_parameters": {"p": 1},
        "action_context": {"user": "ada"},
        "action_results": {"r": 2},
    }
