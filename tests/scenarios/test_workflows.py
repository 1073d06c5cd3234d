"""Workflows on a real server: the conformance suite end to end, our examples, and kills."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.scenarios.live.server import FINAL, Server

from squall.cli.output.livetree import TaskTree
from squall.cli.output.tasks import Names
from squall.client.api import Api
from squall.client.follow import Follower, Note, StatusChange
from squall.client.http import Client
from squall.testing.waiting import until

CASES = yaml.safe_load((Path(__file__).parents[1] / "conformance" / "workflows.yaml").read_text())
KILLED = {
    "version": 1.0,
    "tasks": {
        "t": {
            "with": {"items": "x in <% range(12) %>", "concurrency": 3},
            "action": 'core.local cmd="echo <% item(x) %>"',
            "next": [{"when": "<% succeeded() %>", "publish": "all=<% result().select($.stdout) %>", "do": "z"}],
        },
        "z": {"action": "core.noop"},
    },
    "output": [{"all": "<% ctx().all %>"}],
}

WAITING = {
    "version": 1.0,
    "input": ["marker"],
    "tasks": {
        "t": {
            "with": {"items": "x in <% range(5) %>"},
            "action": 'core.local cmd="until [ <% item(x) %> -lt 3 -o -e <% ctx().marker %> ]; do sleep 0.1; done"',
        }
    },
}

ASKING = {
    "version": 1.0,
    "tasks": {
        "question": {"action": "core.ask", "next": [{"publish": "answer=<% result().response.continue %>", "do": "z"}]},
        "z": {"action": "core.noop"},
    },
    "output": [{"answer": "<% ctx().answer %>"}],
}


CONFIGURED = {
    "chain": [
        {
            "name": "a",
            "ref": "core.local",
            "parameters": {"cmd": "echo at {{ config_context.where }}"},
            "on-success": "b",
        },
        {"name": "b", "ref": "core.local", "parameters": {"cmd": "echo {{ config_context.token }}"}},
    ]
}


HANDLED = {
    "version": 1.0,
    "input": ["marker"],
    "tasks": {
        "a": {
            "action": 'core.local cmd="test -e <% ctx().marker %>"',
            "next": [{"when": "<% failed() %>", "do": "cleanup"}, {"when": "<% succeeded() %>", "do": "b"}],
        },
        "cleanup": {"action": "core.noop", "next": [{"do": "fail"}]},
        "b": {"action": "core.noop"},
    },
}


def write_workflow(folder: Path, name: str, definition: Any, parameters: list[str]) -> None:
    (folder / "workflows").mkdir(parents=True, exist_ok=True)
    (folder / "workflows" / f"{name}.yaml").write_text(json.dumps(definition))
    action = {
        "name": name,
        "runner_type": "orquesta",
        "entry_point": f"workflows/{name}.yaml",
        "parameters": {parameter: {} for parameter in parameters},
    }
    (folder / f"{name}.yaml").write_text(json.dumps(action))


@pytest.fixture(scope="module")
def conforming(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("workflows")
    pack = home / "packs" / "suite"
    pack.mkdir(parents=True)
    (pack / "pack.yaml").write_text("ref: suite\nname: suite\nversion: 1.0.0\n")
    for number, case in enumerate(CASES):
        write_workflow(pack / "actions", f"case{number}", case["definition"], list(case.get("inputs", {})))
    write_workflow(pack / "actions", "killed", KILLED, [])
    write_workflow(pack / "actions", "asking", ASKING, [])
    write_workflow(pack / "actions", "waiting", WAITING, ["marker"])
    write_workflow(pack / "actions", "handled", HANDLED, ["marker"])
    write_workflow(pack / "actions", "configured", CONFIGURED, [])
    action = json.loads((pack / "actions" / "configured.yaml").read_text())
    (pack / "actions" / "configured.yaml").write_text(json.dumps({**action, "runner_type": "action-chain"}))
    (pack / "config.schema.yaml").write_text("where: {type: string}\ntoken: {type: string, secret: true}\n")
    (home / "configs").mkdir()
    (home / "configs" / "suite.yaml").write_text("where: the moon\ntoken: t0ps3cret\n")
    env = {"SQUALL_CONTENT_CONFIGS_DIR": str(home / "configs")}
    server = Server(home, "--packs-dir", str(home / "packs"), env=env)
    try:
        yield server.start()
    finally:
        server.stop()


def ask(server: Server, method: str, path: str, body: Any = None) -> Any:
    return server.call(method, path, body).json


def requested(server: Server, action: str, **parameters: Any) -> str:
    return str(ask(server, "POST", "/v1/executions", {"action": action, "parameters": parameters})["id"])


def ended(server: Server, execution: str) -> Any:
    def document() -> Any:
        found = ask(server, "GET", f"/v1/executions/{execution}")
        return found if found["status"] in FINAL else None

    return until(document, f"{execution} ends", pause=0.02)


def paused(server: Server, execution: str) -> None:
    def is_paused() -> bool:
        return bool(ask(server, "GET", f"/v1/executions/{execution}")["status"] == "paused")

    until(is_paused, f"{execution} is paused", pause=0.02)


def test_the_conformance_suite_end_to_end(conforming: Server) -> None:
    given = [case.get("request", case.get("inputs", {})) for case in CASES]
    started = [requested(conforming, f"suite.case{at}", **inputs) for at, inputs in enumerate(given)]
    for case, execution in zip(CASES, started, strict=True):
        document = ended(conforming, execution)
        result = document["result"]
        assert document["status"] == case.get("status", "succeeded"), (case["name"], result)
        if case.get("inspection"):
            assert [error for error in result["errors"] if error["type"] != "content"] == case["pure_errors"]
            continue
        assert result["output"] == case.get("output"), case["name"]
        if "errors" in case:
            assert result["errors"] == case["errors"], case["name"]
        if "errors_without_result" in case:
            told = [{key: value for key, value in error.items() if key != "result"} for error in result["errors"]]
            unique = [error for at, error in enumerate(told) if error not in told[:at]]
            assert unique == case["errors_without_result"], case["name"]
        if "children" in case:
            children = ask(conforming, "GET", f"/v1/executions/{execution}/children")
            orquesta = [child["context"]["orquesta"] for child in children]
            names = sorted(each["task_name"] + ("*" if "item_id" in each else "") for each in orquesta)
            assert names == case["children"], case["name"]


@pytest.mark.parametrize(
    ("action", "status", "output"),
    [
        ("flow_line", "succeeded", {"greeting": "Hello, Squall!", "loud": "HELLO, SQUALL!"}),
        ("flow_parallel", "succeeded", {"arrived": ["the hare is there", "the tortoise is there"]}),
        ("flow_items", "succeeded", {"said": ["Hello, ann!", "Hello, bob!", "Hello, eve!"]}),
        ("flow_errors", "failed", {"ended": "badly, with 1"}),
        ("flow_cycle", "succeeded", {"rounds": 3}),
        ("flow_decide", "succeeded", {"kind": "even", "told": "half of it is 2"}),
        ("flow_wait", "succeeded", {"times": 3}),
        ("flow_some", "succeeded", {"told": "two are enough", "cleaned": True}),
        ("flow_nested", "succeeded", {"said": ["Hello, Squall!", "Hello, HELLO, SQUALL!!"]}),
    ],
)
def test_our_examples_do_what_they_say(conforming: Server, action: str, status: str, output: Any) -> None:
    document = ended(conforming, requested(conforming, f"examples.{action}"))
    assert (document["status"], document["result"]["output"]) == (status, output)


def test_our_example_asks_and_goes_on_with_the_answer(conforming: Server) -> None:
    execution = requested(conforming, "examples.flow_ask")
    paused(conforming, execution)
    waiting = [inquiry["id"] for inquiry in ask(conforming, "GET", "/v1/inquiries")]
    children = [child["id"] for child in ask(conforming, "GET", f"/v1/executions/{execution}/children")]
    [inquiry] = [each for each in waiting if each in children]
    answer = {"id": inquiry, "response": {"proceed": True}}
    assert conforming.call("PUT", f"/v1/inquiries/{inquiry}", answer).status == 200
    assert ended(conforming, execution)["result"] == {"output": {"said": "yes"}}


def test_a_chain_runs(conforming: Server) -> None:
    document = ended(conforming, requested(conforming, "examples.chain_hello", name="Ada"))
    assert document["status"] == "succeeded"
    assert document["result"]["published"] == {"said": "Hello, Ada!"}
    assert [task["result"]["stdout"] for task in document["result"]["tasks"]] == ["Hello, Ada!", 12]


def test_a_chain_sees_the_configuration_of_its_pack_and_shows_no_secret_of_it(conforming: Server) -> None:
    document = ended(conforming, requested(conforming, "suite.configured"))
    assert document["status"] == "succeeded"
    assert [task["result"]["stdout"] for task in document["result"]["tasks"]] == ["at the moon", "********"]
    children = ask(conforming, "GET", f"/v1/executions/{document['id']}/children")
    assert [child["parameters"]["cmd"] for child in children] == ["echo at the moon", "********"]


def test_a_server_that_is_killed_again_and_again_runs_every_task_once(conforming: Server) -> None:
    execution = requested(conforming, "suite.killed")
    for _ in range(3):
        port = conforming.port
        conforming.signal(signal.SIGKILL)
        conforming.wait()
        conforming.start(port)
    document = ended(conforming, execution)
    assert document["result"] == {"output": {"all": list(range(12))}}
    children = ask(conforming, "GET", f"/v1/executions/{execution}/children")
    assert sorted(child["context"]["orquesta"].get("item_id", -1) for child in children) == [-1, *range(12)]


def header(server: Server, execution: str) -> str:
    """The counts in the header of the live tree of what the execution's output holds now."""
    with Api(Client(server.url)) as api:
        names = Names(api, execution)
        tree = TaskTree(names.path)
        for record in Follower(api, execution, follow=False, notes=True):
            if isinstance(record, Note):
                tree.note(record.execution_id, record.document)
            elif isinstance(record, StatusChange):
                names.learn(record)
                tree.status(record)
    return tree.header(80).partition(",")[0]


def test_items_are_counted_when_they_end_also_after_a_kill(conforming: Server, tmp_path: Path) -> None:
    execution = requested(conforming, "suite.waiting", marker=str(tmp_path / "marker"))
    until(lambda: header(conforming, execution) == "3/5 done", "three items are counted")
    port = conforming.port
    conforming.signal(signal.SIGKILL)
    conforming.wait()
    conforming.start(port)
    assert header(conforming, execution) == "3/5 done"
    (tmp_path / "marker").touch()
    assert ended(conforming, execution)["status"] == "succeeded"
    until(lambda: header(conforming, execution) == "5/5 done", "all items are counted")


def test_one_workflow_tells_of_itself(conforming: Server) -> None:
    text = "version: 1.0\ntasks:\n  a:\n    action: core.nosuch\n"
    reply = conforming.call("POST", "/v1/workflows/inspect", raw=text.encode())
    assert [each["message"] for each in reply.json] == ['The action "core.nosuch" is not registered in the database.']
    execution = requested(conforming, "examples.flow_line")
    ended(conforming, execution)
    graph = ask(conforming, "GET", f"/v1/executions/{execution}/graph")
    assert [(task["name"], task["status"]) for task in graph["tasks"]] == [
        ("greet", "succeeded"), ("shout", "succeeded"), ("done", "succeeded"),
    ]  # fmt: skip


def test_the_output_of_a_workflow_tells_every_step_of_it(conforming: Server) -> None:
    execution = requested(conforming, "examples.flow_line")
    ended(conforming, execution)
    with conforming.output(execution, format="ndjson") as stream:
        lines = [json.loads(line) for line in stream.rest().decode().split("\n") if line]
    told = [line["progress"] for line in lines if "progress" in line]
    assert [(note["event"], note.get("task"), note.get("status") or note.get("next")) for note in told] == [
        ("workflow", None, "running"),
        ("task_requested", "greet", None), ("task_ended", "greet", "succeeded"), ("transition", "greet", "shout"),
        ("task_requested", "shout", None), ("task_ended", "shout", "succeeded"), ("transition", "shout", "done"),
        ("task_requested", "done", None), ("task_ended", "done", "succeeded"),
        ("workflow", None, "succeeded"),
    ]  # fmt: skip
    assert [note["publish"] for note in told if note["event"] == "transition"] == [["greeting"], ["loud"]]


def test_an_inquiry_pauses_the_workflow_until_it_is_answered(conforming: Server) -> None:
    execution = requested(conforming, "suite.asking")
    paused(conforming, execution)
    [inquiry] = ask(conforming, "GET", "/v1/inquiries")
    reply = conforming.call(
        "PUT", f"/v1/inquiries/{inquiry['id']}", {"id": inquiry["id"], "response": {"continue": True}}
    )
    assert reply.status == 200
    document = ended(conforming, execution)
    assert (document["status"], document["result"]) == ("succeeded", {"output": {"answer": True}})


def test_a_failure_that_was_handled_before_fail_runs_again_from_the_failed_task_on(
    conforming: Server, tmp_path: Path
) -> None:
    execution = requested(conforming, "suite.handled", marker=str(tmp_path / "marker"))
    assert ended(conforming, execution)["status"] == "failed"

    def again() -> tuple[str, list[str]]:
        made = ask(conforming, "POST", f"/v1/executions/{execution}/re_run", {"tasks": ["*"]})["id"]
        status = ended(conforming, made)["status"]
        children = ask(conforming, "GET", f"/v1/executions/{made}/children")
        return status, sorted(child["context"]["orquesta"]["task_name"] for child in children)

    assert again() == ("failed", ["a", "cleanup"])
    (tmp_path / "marker").touch()
    assert again() == ("succeeded", ["a", "b"])
    refused = conforming.squall("execution", "re-run", execution, "--tasks", "fail")
    assert (refused.status, refused.out) == (2, b"")
    assert b'"fail" is a command of the workflow engine, which runs nothing' in refused.err
    assert conforming.squall("execution", "re-run", execution, "--from-failed").status == 0
    done = requested(conforming, "suite.handled", marker=str(tmp_path / "marker"))
    assert ended(conforming, done)["status"] == "succeeded"
    reply = conforming.call("POST", f"/v1/executions/{done}/re_run", {"tasks": ["*"]})
    assert (reply.status, reply.json) == (
        400,
        {
            "faultstring": "No task of the workflow failed: it succeeded. Run the whole workflow again, or name the "
            "tasks to run."
        },
    )
