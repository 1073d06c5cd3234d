"""Workflows that are large, deep, endless or wrong, on a real server: the right status, and nothing is stuck."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.live.server import FINAL, Server, serving
from tests.scenarios.live.wire import Reply

from squall.testing.waiting import until

LONG = bool(os.environ.get("SQUALL_SOAK_MINUTES"))
"""`make soak` runs all of this at full size."""
MANY = 1000 if LONG else 150
LEVELS = 100
ROUNDS = 10_000 if LONG else 120
CONTEXT = 10_000_000
NOOP = {"action": "core.noop"}

pytestmark = pytest.mark.timeout(1200 if LONG else 120)


def line(length: int) -> dict[str, Any]:
    tasks: dict[str, Any] = {f"t{at}": {**NOOP, "next": [{"do": f"t{at + 1}"}]} for at in range(length - 1)}
    return {"version": 1.0, "tasks": tasks | {f"t{length - 1}": NOOP}}


def wide(width: int) -> dict[str, Any]:
    tasks: dict[str, Any] = {f"t{at}": {**NOOP, "next": [{"do": "end"}]} for at in range(width)}
    return {"version": 1.0, "tasks": tasks | {"end": {"join": "all", **NOOP}}}


def level(number: int) -> dict[str, Any]:
    last = number == LEVELS - 1
    task = {"action": "core.local", "input": {"cmd": "echo deep"}} if last else {"action": f"big.level{number + 1}"}
    got = "<% result().stdout %>" if last else "<% result().output.got %>"
    return {
        "version": 1.0,
        "tasks": {"in": {**task, "next": [{"when": "<% succeeded() %>", "publish": [{"got": got}]}]}},
        "output": [{"got": "<% ctx().got %>"}],
    }


def heavy() -> dict[str, Any]:
    """Every task publishes all of the large value again."""
    tasks: dict[str, Any] = {
        f"t{at}": {**NOOP, "next": [{"publish": [{f"k{at}": "<% ctx().big %>"}], "do": f"t{at + 1}"}]}
        for at in range(4)
    }
    return {
        "version": 1.0,
        "input": ["big"],
        "tasks": tasks | {"t4": NOOP},
        "output": [{"length": "<% len(ctx().k3) %>"}],
    }


def circle() -> dict[str, Any]:
    return {
        "version": 1.0,
        "input": ["rounds"],
        "vars": [{"i": 0}],
        "tasks": {
            "start": {**NOOP, "next": [{"do": "a"}]},
            "a": {**NOOP, "next": [{"publish": [{"i": "<% ctx().i + 1 %>"}], "do": "b"}]},
            "b": {**NOOP, "next": [{"when": "<% ctx().i < ctx().rounds %>", "do": "a"}]},
        },
        "output": [{"i": "<% ctx().i %>"}],
    }


def publishing(expression: str) -> dict[str, Any]:
    return {"version": 1.0, "tasks": {"a": {**NOOP, "next": [{"publish": [{"x": expression}]}]}}}


EXPRESSIONS = {
    "raises": ("<% 1 / 0 %>", "ZeroDivisionError: integer division or modulo by zero"),
    "loops": ("<% range(10000000000).sum() %>", "The expression takes more than 1 seconds."),
    "never": ("<% range(1000000000000).len() %>", "The expression takes more than 1 seconds."),
    "eats": ("{{ 'x' * 10000000000 }}", "The expression makes a value of more than 32 MiB."),
    "grows": ("<% range(100000000).select(str($) * 100).toList() %>", "ExpressionLimitExceeded"),
}
WORKFLOWS: dict[str, dict[str, Any]] = {
    "line": line(MANY),
    "wide": wide(MANY),
    "heavy": heavy(),
    "circle": circle(),
    "itself": {"version": 1.0, "tasks": {"again": {"action": "big.itself"}}},
    "vanishing": {
        "version": 1.0,
        "input": ["go"],
        "tasks": {
            "first": {"action": 'core.local cmd="while [ ! -e <% ctx().go %> ]; do sleep 0.05; done"', "next": [
                {"do": "second"}
            ]},
            "second": {"action": "big.gone"},
        },
    },
    **{f"level{number}": level(number) for number in range(LEVELS)},
    **{name: publishing(expression) for name, (expression, _) in EXPRESSIONS.items()},
}  # fmt: skip
PARAMETERS = {"heavy": ["big"], "circle": ["rounds"], "vanishing": ["go"]}


def write_pack(folder: Path) -> None:
    (folder / "actions" / "workflows").mkdir(parents=True)
    (folder / "pack.yaml").write_text("ref: big\nname: big\nversion: 1.0.0\n")
    (folder / "actions" / "gone.yaml").write_text('{"name": "gone", "runner_type": "noop"}')
    for name, definition in WORKFLOWS.items():
        (folder / "actions" / "workflows" / f"{name}.yaml").write_text(json.dumps(definition))
        action = {
            "name": name,
            "runner_type": "orquesta",
            "entry_point": f"workflows/{name}.yaml",
            "parameters": {parameter: {} for parameter in PARAMETERS.get(name, [])},
        }
        (folder / "actions" / f"{name}.yaml").write_text(json.dumps(action))


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("extremes")
    write_pack(home / "packs" / "big")
    env = {
        "SQUALL_WORKFLOW_EXPRESSION_SECONDS": "1",
        "SQUALL_WORKFLOW_MOST_TASKS": str(3 * ROUNDS),
        "SQUALL_WORKFLOW_MOST_NESTED": str(LEVELS),
        # One action at a time: parents that held it would never see their children run.
        "SQUALL_ACTIONRUNNER_WORKERS": "1",
    }
    with serving(home, home / "packs", env=env) as server:
        yield server


def run(server: Server, name: str, **parameters: Any) -> Any:
    """The document of the ended execution, asked for again and again: the stream of what prints nothing is silent."""
    execution = server.request(f"big.{name}", **parameters)

    def over() -> bool:
        return server.get(f"/v1/executions/{execution}", include_attributes="status")["status"] in FINAL

    until(over, f"{name} ends", within=900 if LONG else 240, pause=0.05)
    return server.get(f"/v1/executions/{execution}")


@pytest.mark.parametrize("name", ["line", "wide"])
def test_many_tasks_run_once_each(big: Server, name: str) -> None:
    document = run(big, name)
    assert (document["status"], document["result"]) == ("succeeded", {"output": None})
    names = {f"t{at}" for at in range(MANY)} | ({"end"} if name == "wide" else set())
    children = big.get(f"/v1/executions/{document['id']}/children")
    assert sorted(child["context"]["orquesta"]["task_name"] for child in children) == sorted(names)


def test_a_hundred_workflows_in_each_other_need_no_worker_each(big: Server) -> None:
    document = run(big, "level0")
    assert (document["status"], document["result"]) == ("succeeded", {"output": {"got": "deep"}})


def test_a_workflow_that_runs_itself_ends_with_an_error(big: Server) -> None:
    document = run(big, "itself")
    assert document["status"] == "failed"
    told = f"The workflow is in {LEVELS} others, and it may be in no more (workflow.most_nested)."
    assert json.dumps(document["result"]).count(told) == 1


@pytest.mark.stalls("the server reads a JSON document of ten megabytes in one piece")
def test_a_large_value_that_every_task_publishes_is_no_trouble(big: Server) -> None:
    document = run(big, "heavy", big="x" * CONTEXT)
    assert (document["status"], document["result"]) == ("succeeded", {"output": {"length": CONTEXT}})


def test_a_circle_goes_round_as_often_as_it_may(big: Server) -> None:
    document = run(big, "circle", rounds=ROUNDS)
    assert (document["status"], document["result"]) == ("succeeded", {"output": {"i": ROUNDS}})
    endless = run(big, "circle", rounds=10 * ROUNDS)
    assert endless["status"] == "failed"
    assert next(error["message"] for error in endless["result"]["errors"]) == (
        f"LimitError: The workflow has run {3 * ROUNDS} tasks, which is the most it may."
    )


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_an_expression_that_goes_wrong_is_told_of(big: Server, name: str) -> None:
    document = run(big, name)
    [error] = document["result"]["errors"]
    assert document["status"] == "failed"
    assert EXPRESSIONS[name][1] in error["message"]
    assert (error["task_id"], error["task_transition_id"]) == ("a", "continue__t0")


def test_others_are_answered_while_an_expression_takes_its_time(big: Server) -> None:
    slow = [threading.Thread(target=run, args=(big, "loops")) for _ in range(3)]
    for thread in slow:
        thread.start()
    assert big.call("GET", "/v1/packs").status == 200
    assert run(big, "level98")["status"] == "succeeded"
    for thread in slow:
        thread.join()


def test_others_are_answered_while_a_template_of_a_request_takes_its_time(big: Server) -> None:
    template = "{% for i in range(9999) %}{% set x = ('ab' * 16000000) | replace('a', 'c') %}{% endfor %}"
    body = {"action": "core.echo", "parameters": {"message": template}}
    replies: list[Reply] = []
    slow = threading.Thread(target=lambda: replies.append(big.call("POST", "/v1/executions", body)))
    slow.start()
    answers = 0
    while slow.is_alive():
        assert big.call("GET", "/v1/packs").status == 200
        answers += 1
    # A server that rendered the template on its event loop would answer twice: before it, and after it.
    assert answers > 2
    assert replies[0].status == 400
    assert "The expression takes more than 1 seconds." in replies[0].json["faultstring"]


def test_an_action_that_is_deleted_in_the_middle_fails_its_task(big: Server, tmp_path: Path) -> None:
    started = big.request("big.vanishing", go=str(tmp_path / "go"))
    big.running(started)
    (big.home / "packs" / "big" / "actions" / "gone.yaml").unlink()
    assert big.call("POST", "/v1/packs/register", {"packs": ["big"]}).status == 200
    (tmp_path / "go").touch()
    document = big.ended(started)
    [error] = document["result"]["errors"]
    assert (document["status"], error["task_id"]) == ("failed", "second")
    assert error["result"] == {"error": 'Action "big.gone" cannot be found.'}
