"""The execution's document, and parts of it."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from squall.core.errors import InvalidError
from squall.core.execution.document import (
    EXCLUDABLE,
    FIELDS,
    check_attributes,
    execution_document,
    liveaction_document,
    select,
)
from squall.core.execution.execution import COMPLETED_AS, Execution, LogEntry
from squall.testing.samples import sample_action, sample_execution, sample_id, sample_runner

URL = "http://127.0.0.1:9101"
START = 1_795_462_467_487_357


def shown(execution: Execution, children: list[str] | None = None) -> dict[str, Any]:
    return execution_document(execution, sample_action(), sample_runner(), children or [], URL)


def ended(**changes: Any) -> Execution:
    known: dict[str, Any] = {
        "start": START,
        "end": START + 1_500_000,
        "status": "succeeded",
        "parameters": {"cmd": "true"},
        "context": {"user": "ada"},
        "result": {"stdout": ""},
        "result_size": 13,
        "log": (LogEntry(START, "requested"), LogEntry(START + 1_500_000, "succeeded")),
    }
    return sample_execution(**(known | changes))


def test_a_result_is_shown_only_when_the_completion_has_ended_the_execution() -> None:
    waiting = ended(status="running", end=None, context={"user": "ada", COMPLETED_AS: "succeeded"})
    assert shown(waiting).keys() & {"result", "result_size"} == set()
    assert shown(ended())["result"] == {"stdout": ""}
    question = ended(status="pending", end=None)
    assert (shown(question)["result"], shown(question)["result_size"]) == ({"stdout": ""}, 13)


def test_the_document_has_stackstorms_attributes_and_forms() -> None:
    document = shown(ended(delay=500, parent=sample_id(2)), [sample_id(3)])
    assert document.keys() <= FIELDS
    picked = {key: document[key] for key in ("start_timestamp", "end_timestamp", "elapsed_seconds", "log", "children")}
    assert picked == {
        "start_timestamp": "2026-11-23T19:34:27.487357Z",
        "end_timestamp": "2026-11-23T19:34:28.987357Z",
        "elapsed_seconds": 1.5,
        "log": [
            {"timestamp": "2026-11-23T19:34:27.487357Z", "status": "requested"},
            {"timestamp": "2026-11-23T19:34:28.987357Z", "status": "succeeded"},
        ],
        "children": [sample_id(3)],
    }
    assert (document["parent"], document["delay"], document["result_size"]) == (sample_id(2), 500, 13)
    assert document["liveaction"]["id"] == document["id"]
    assert document["liveaction"]["parameters"] == document["parameters"] == {"cmd": "true"}
    assert document["web_url"] == f"{URL}/#/history/{document['id']}/general"
    assert (document["action"]["ref"], document["runner"]["name"]) == ("core.local", "local-shell-cmd")


def test_what_has_no_value_is_left_out() -> None:
    document = shown(sample_execution())
    absent = {"end_timestamp", "elapsed_seconds", "result", "result_size", "parent", "children", "delay", "parameters"}
    assert not absent & document.keys()


@pytest.mark.parametrize("result", [0, False, "", [], {}])
def test_a_result_that_counts_as_false_is_a_result(result: Any) -> None:
    assert shown(ended(result=result))["result"] == result


def test_a_zero_start_and_end_are_times() -> None:
    document = shown(ended(start=0, end=0))
    assert document["end_timestamp"] == "1970-01-01T00:00:00.000000Z"
    assert document["elapsed_seconds"] == 0


def test_the_liveaction_has_an_empty_result_until_the_end() -> None:
    document = liveaction_document(sample_execution())
    assert (document["result"], document["status"], document["action"]) == ("{}", "requested", "core.local")
    assert not document["action_is_workflow"]


def test_only_what_is_asked_for_is_shown_beside_the_id() -> None:
    document = shown(ended())
    assert select(document, ["status", "context.user"], None) == {
        "id": document["id"],
        "status": "succeeded",
        "context": {"user": "ada"},
    }


def test_what_clients_need_to_mask_an_action_stays_with_a_part_of_it() -> None:
    chosen = select(shown(ended()), ["action.name"], None)
    assert chosen["action"].keys() == {"name", "uid", "ref", "pack", "parameters", "output_schema"}


def test_what_is_not_asked_for_is_everything_else() -> None:
    document = shown(ended())
    left = select(document, None, ["result", "status"])
    assert left.keys() == document.keys() - {"result", "status"}
    assert select(document, None, None) == document
    assert select(document, [], []) == document


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["a"], {"a": {"b": {"c": 1, "d": 2}, "e": 3}}),
        (["a.b"], {"a": {"b": {"c": 1, "d": 2}}}),
        (["a.b.c", "a.e"], {"a": {"b": {"c": 1}, "e": 3}}),
        (["a", "a.b.c"], {"a": {"b": {"c": 1, "d": 2}, "e": 3}}),
        (["a.b.c", "a"], {"a": {"b": {"c": 1, "d": 2}, "e": 3}}),
        (["a.b", "a.b.c"], {"a": {"b": {"c": 1, "d": 2}}}),
        (["a.b.c", "a.b"], {"a": {"b": {"c": 1, "d": 2}}}),
        (["nosuch", "f.g", "f"], {"f": "text"}),
        (["nosuch"], {}),
    ],
)
def test_paths_join_in_any_order(paths: list[str], expected: dict[str, Any]) -> None:
    source = {"a": {"b": {"c": 1, "d": 2}, "e": 3}, "f": "text"}
    assert select(source, paths, None) == expected


TREE = st.recursive(
    st.integers(), lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=10
).filter(lambda value: isinstance(value, dict))
PATHS = st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(".".join), min_size=1, max_size=5)


def at(value: Any, path: list[str]) -> Any:
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    return value


@given(TREE, PATHS)
def test_selecting_copies_every_path_asked_for_and_changes_no_source(source: dict[str, Any], paths: list[str]) -> None:
    before = copy.deepcopy(source)
    chosen = select(source, paths, None)
    assert source == before
    for path in paths:
        assert at(chosen, path.split(".")) == at(source, path.split("."))


@given(TREE, PATHS)
def test_nothing_is_shown_that_nobody_asked_for(source: dict[str, Any], paths: list[str]) -> None:
    def within(part: Any, whole: Any, path: str) -> None:
        if any(path == each or path.startswith(each + ".") for each in paths):
            assert part == whole
            return
        assert any(each.startswith(path + ".") for each in paths)
        for key, value in part.items():
            within(value, whole[key], f"{path}.{key}")

    for key, value in select(source, paths, None).items():
        within(value, source[key], key)


def test_attributes_that_are_there_may_be_asked_for() -> None:
    check_attributes(["status", "action.ref"], None, FIELDS, EXCLUDABLE)
    check_attributes(None, ["result"], FIELDS, EXCLUDABLE)
    check_attributes(None, None, FIELDS, EXCLUDABLE)


@pytest.mark.parametrize(
    ("include", "exclude", "told"),
    [
        (["nosuch"], None, "Invalid or unsupported include attribute specified: nosuch"),
        (["nosuch.deep"], None, "Invalid or unsupported include attribute specified: nosuch.deep"),
        (None, ["action"], "Invalid or unsupported exclude attribute specified: action"),
        (["status"], ["result"], "mutually exclusive"),
    ],
)
def test_other_attributes_are_refused_in_stackstorms_words(
    include: list[str] | None, exclude: list[str] | None, told: str
) -> None:
    with pytest.raises(InvalidError, match=told):
        check_attributes(include, exclude, FIELDS, EXCLUDABLE)


def test_a_document_is_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(shown(ended()))) == shown(ended())
