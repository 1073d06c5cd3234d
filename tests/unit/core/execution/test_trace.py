"""Traces: what an execution's part says, and how a trace is shown."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.execution.trace import (
    Trace,
    TraceFilter,
    TracePart,
    document,
    execution_part,
    rule_depth,
    with_depth,
)
from squall.testing.samples import NOON, sample_execution, sample_id


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({}, ("", "")),
        ({"context": {"rule": {"id": "r"}, "trigger_instance": {"id": "t"}}}, ("rule", "r:t")),
        ({"context": {"rule": "r"}}, ("", "")),
        ({"parent": sample_id(2)}, ("action_execution", sample_id(2))),
    ],
)
def test_a_part_says_what_caused_it(changes: dict[str, Any], cause: tuple[str, str]) -> None:
    part = execution_part(sample_execution(1, **changes))
    assert (part.cause_kind, part.cause_id) == cause
    assert (part.kind, part.object_id, part.ref) == ("action_execution", sample_id(1), "core.local")


def test_a_trace_is_shown_with_its_parts_by_kind() -> None:
    parts = (
        TracePart("rule", "r", "core.rule", "trigger_instance", "t", NOON),
        TracePart("action_execution", "e", "core.local", "", "", NOON),
    )
    shown = document(Trace(id="0" * 24, tag="mine", start=NOON, parts=parts))
    assert shown.pop("uid").startswith("trace:")
    at = "2026-01-01T12:00:00.000000Z"
    assert shown == {
        "id": "0" * 24,
        "trace_tag": "mine",
        "start_timestamp": at,
        "trigger_instances": [],
        "rules": [
            {
                "object_id": "r",
                "ref": "core.rule",
                "updated_at": at,
                "caused_by": {"type": "trigger_instance", "id": "t"},
            }
        ],
        "action_executions": [{"object_id": "e", "ref": "core.local", "updated_at": at, "caused_by": {}}],
    }


def test_a_filter_names_the_objects_that_are_asked_for() -> None:
    assert TraceFilter(tag="x").objects == []
    without = TraceFilter(execution="e", rule="null", trigger_instance="NULL")
    assert (without.objects, without.lacking) == ([("action_execution", "e")], ["rule", "trigger_instance"])
    assert TraceFilter(execution="e", rule="r").objects == [("action_execution", "e"), ("rule", "r")]


@pytest.mark.parametrize("reference", [None, "x", {}, {"depth": "9"}, {"depth": -1}, {"depth": 1.5}, {"depth": []}])
def test_a_context_without_a_sensible_depth_has_none(reference: object) -> None:
    assert rule_depth({"trace_context": reference}) == 0
    assert rule_depth({}) == 0


def test_a_depth_is_set_and_taken_away() -> None:
    assert with_depth({"user": "ada"}, 0) == {"user": "ada"}
    deep = with_depth({"trace_context": {"id_": "t"}}, 3)
    assert deep == {"trace_context": {"id_": "t", "depth": 3}}
    assert rule_depth(deep) == 3
    assert with_depth(deep, 0) == {"trace_context": {"id_": "t"}}
    assert with_depth({}, 2) == {"trace_context": {"depth": 2}}
    assert with_depth({"trace_context": "x"}, 0) == {"trace_context": "x"}
