"""The output of workflows: lines with the names of their tasks."""

from __future__ import annotations

import json
import os
import re
from typing import Any, cast

import pytest

from squall.cli.output.tasks import Names, TaskOptions, TaskOutput, is_workflow
from squall.cli.terminal.screen import Screen
from squall.client.api import Api
from squall.client.follow import Chunk, StatusChange

DOCUMENTS: dict[str, Any] = {
    "a": {"context": {"orquesta": {"task_name": "one"}}, "parent": "root", "status": "succeeded"},
    "b": {"context": {"orquesta": {"task_name": "two", "item_id": 3}}, "parent": "root", "status": "failed"},
    "c": {"context": {"chain": {"name": "deep"}}, "parent": "b", "status": "failed"},
}


class FakeApi:
    def execution(self, execution_id: str, *, only: str) -> Any:
        return DOCUMENTS[execution_id]


RECORDS = [
    ("a", "stdout", b"first\nsec"),
    ("b", "stderr", b"b1\n"),
    ("c", "stdout", b"c1\n"),
    ("a", "stdout", b"ond\n"),
    ("root", "stdout", b"own\n"),
    ("b", "stdout", b"unended"),
]


def shown(options: TaskOptions) -> list[str]:
    read, write = os.pipe()
    output = TaskOutput(cast(Api, FakeApi()), Screen(write, write, {}), "root", options)
    for execution, stream, data in RECORDS:
        output.show(Chunk(stream, data, "2026-01-01T00:00:00Z", "f-1", execution))
    output.finish()
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        return pipe.read().decode().splitlines()


def test_each_line_has_the_name_of_its_task_and_no_two_are_mixed() -> None:
    assert shown(TaskOptions()) == [
        "one ⦿ first", "two[3] ⦿ b1", "two[3]/deep ⦿ c1", "one ⦿ second", "own", "two[3] ⦿ unended",
    ]  # fmt: skip


def test_lines_can_be_grouped_by_task() -> None:
    assert shown(TaskOptions(grouped=True)) == [
        "one ⦿ first", "one ⦿ second", "two[3] ⦿ b1", "two[3] ⦿ unended", "two[3]/deep ⦿ c1", "own",
    ]  # fmt: skip


def test_only_what_failed_tasks_printed() -> None:
    DOCUMENTS["root"] = {"status": "succeeded"}
    assert shown(TaskOptions(only_failed=True)) == ["two[3] ⦿ b1", "two[3] ⦿ unended", "two[3]/deep ⦿ c1"]


def test_one_task_with_all_below_it() -> None:
    assert shown(TaskOptions(task="two")) == ["two[3] ⦿ b1", "two[3]/deep ⦿ c1", "two[3] ⦿ unended"]
    assert shown(TaskOptions(task="deep")) == ["two[3]/deep ⦿ c1"]


def test_raw_output_is_the_actions_own_bytes() -> None:
    assert "".join(shown(TaskOptions(output="raw"))) == "firstsecb1c1ondownunended"


def test_as_json_every_line_is_an_object() -> None:
    first = json.loads(shown(TaskOptions(output="json"))[0])
    assert (first["task"], first["stream"], first["line"], first["execution_id"]) == ("one", "stdout", "first", "a")


@pytest.mark.parametrize(("runner", "expected"), [("orquesta", True), ("action-chain", True), ("noop", False)])
def test_workflows_are_known_by_their_runner(runner: str, expected: bool) -> None:
    assert is_workflow({"action": {"runner_type": runner}}) is expected
    assert not is_workflow({})


def test_at_a_terminal_names_stand_in_a_column_each_in_its_colour() -> None:
    mine, theirs = os.openpty()
    output = TaskOutput(cast(Api, FakeApi()), Screen(theirs, theirs, {}), "root", TaskOptions())
    for execution, stream, data in [("b", "stderr", b"x\n"), ("a", "stdout", b"y\n"), ("a", "stdout", b"z\n")]:
        output.show(Chunk(stream, data, "", "", execution))
    data = b""
    while data.count(b"\r\n") < 3:
        data += os.read(mine, 4096)
    os.close(theirs)
    os.close(mine)
    seen = data.decode().split("\r\n")
    plain = [re.sub(r"\x1b\[\d+m", "", line) for line in seen]
    assert plain[:3] == ["two[3] ⦿ x", "one    ⦿ y", "one    ⦿ z"]
    colours = [re.findall(r"\x1b\[\d+m(?=two|one)", line) for line in seen[:3]]
    assert colours[1] == colours[2] != colours[0] and all(colours)
    assert "\x1b[31mx" in seen[0]


def test_the_name_of_a_task_is_known_from_its_status_without_a_request() -> None:
    names = Names(cast(Api, None), "root")
    names.learn(StatusChange("root", "running", "above", "top"))
    names.learn(StatusChange("e1", "running", "root", "two"))
    names.learn(StatusChange("e2", "succeeded", "e1", "roll", 0))
    assert [names.path(each) for each in ("root", "e1", "e2")] == ["", "two", "two/roll[0]"]
