"""Actions and runner types: their documents, and how their parameters combine."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.content.action import action_schemas, document, merged_parameters, split_parameters
from squall.core.errors import InvalidError
from squall.testing.samples import sample_action, sample_pack, sample_runner

RUNNER = sample_runner(
    runner_parameters={
        "cmd": {"type": "string", "description": "the command"},
        "timeout": {"type": "integer", "default": 60},
    }
)


def test_a_document_leaves_out_what_has_no_value() -> None:
    assert "description" not in document(sample_action())
    assert document(sample_action(description=""))["description"] == ""
    assert document(sample_action())["enabled"] is True
    assert "description" not in document(sample_pack())


def test_the_callers_parameters_are_the_runners_and_then_the_actions_own() -> None:
    action = sample_action(parameters={"name": {"type": "string"}, "cmd": {"default": "echo"}})
    assert list(merged_parameters(action, RUNNER)) == ["cmd", "timeout", "name"]


def test_an_action_may_change_what_is_overridable_of_a_runners_parameter() -> None:
    change = {"default": "x", "description": "d", "enum": ["x"], "immutable": True, "required": True}
    merged = merged_parameters(sample_action(parameters={"cmd": change}), RUNNER)
    assert merged["cmd"] == {"type": "string", **change}


@pytest.mark.parametrize(
    ("change", "refused"),
    [({"type": "integer"}, True), ({"type": "string"}, False), ({"secret": True}, False), ({"minimum": 1}, False)],
)
def test_an_action_may_repeat_or_add_but_not_change_the_rest(change: dict[str, Any], refused: bool) -> None:
    action = sample_action(parameters={"cmd": change})
    if refused:
        with pytest.raises(
            InvalidError,
            match=r'attribute "type" for the runner parameter "cmd" in action "core\.local" cannot be overridden',
        ):
            merged_parameters(action, RUNNER)
    else:
        assert merged_parameters(action, RUNNER)["cmd"].items() >= change.items()


def test_merging_changes_neither_of_both() -> None:
    action = sample_action(parameters={"cmd": {"default": "x"}, "name": {"type": "string"}})
    merged = merged_parameters(action, RUNNER)
    merged["name"]["type"] = merged["timeout"]["type"] = "other"
    assert RUNNER.runner_parameters["cmd"] == {"type": "string", "description": "the command"}
    assert RUNNER.runner_parameters["timeout"]["type"] == "integer"
    assert action.parameters["name"] == {"type": "string"}


def test_values_go_to_whom_they_belong() -> None:
    values = {"cmd": "x", "name": "ada", "timeout": 1}
    assert split_parameters(values, RUNNER) == ({"cmd": "x", "timeout": 1}, {"name": "ada"})


def test_an_actions_own_schemas_keep_the_order_of_their_declaration() -> None:
    action = sample_action(parameters={"z": {"position": 1}, "cmd": {"default": "x"}, "a": {"position": 0}})
    assert list(action_schemas(action, RUNNER)) == ["z", "a"]
