from __future__ import annotations

import json
import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from squall.core.execution.statuses import FINAL, STATUSES

ID = "65a0c0ffee00000000000001"


def test_the_list_is_a_table(fake: ModuleType, run: Callable[..., Any]) -> None:
    with fake.FakeSquall([]) as server:
        got = run("--url", server.url, "execution", "list", "-n", "5", "--status", "failed", "--action", "core.local")
        query = server.requests[0].query
    header, row = got.out.decode().splitlines()
    assert header.split("  ")[0] == "ID" and row.split() == [
        ID,
        "core.local",
        "ada",
        "succeeded",
        "2026-01-02",
        "03:04:05",
        "2.5",
        "s",
    ]
    assert {key: query[key] for key in ("limit", "status", "action", "parent")} == {
        "limit": "5",
        "status": "failed",
        "action": "core.local",
        "parent": "null",
    }


def test_the_list_as_json_is_what_the_server_sent(fake: ModuleType, run: Callable[..., Any]) -> None:
    with fake.FakeSquall([]) as server:
        got = run("--url", server.url, "execution", "list", "-j", "--children")
        assert json.loads(got.out) == [server.document()]
        assert server.requests[0].query == {"limit": "50"}


@pytest.mark.parametrize(
    ("words", "statuses"),
    [
        (["execution", "list"], set(STATUSES)),
        (["execution", "cancel"], set(STATUSES)),
        (["execution", "re-run"], set(STATUSES)),
        (["storage", "purge", "--older-than", "1d"], FINAL),
    ],
)
@pytest.mark.parametrize("status", ["bogus", "", "Failed", "failed,succeeded"])
def test_a_status_that_does_not_exist_is_refused_with_those_that_do(
    run: Callable[..., Any], words: list[str], statuses: set[str], status: str
) -> None:
    got = run("--url", "http://127.0.0.1:1", *words, f"--status={status}")
    assert got.status == 2
    complaint = got.err.decode().splitlines()[-1]
    assert "argument --status: invalid choice" in complaint
    assert statuses == set(STATUSES) & set(re.findall(r"\w+", complaint.partition("choose from")[2]))


@pytest.mark.parametrize("limit", ["0", "-3", "many"])
def test_a_limit_is_a_positive_number(run: Callable[..., Any], limit: str) -> None:
    got = run("execution", "list", f"--limit={limit}")
    assert got.status == 2 and b"--limit" in got.err


def test_one_execution_is_shown_with_its_result(fake: ModuleType, run: Callable[..., Any]) -> None:
    with fake.FakeSquall([]) as server:
        shown = run("--url", server.url, "execution", "get", "last").out.decode()
        assert json.loads(run("--url", server.url, "execution", "get", ID, "--json").out) == server.document()
    assert f"id:         {ID}\naction:     core.local\nuser:       ada\nstatus:     succeeded\n" in shown
    assert '"stdout": "hi"' in shown


def test_canceling_tells_the_new_status(fake: ModuleType, run: Callable[..., Any]) -> None:
    with fake.FakeSquall([], held=True) as server:
        assert run("--url", server.url, "execution", "cancel", ID) == (0, f"{ID} canceling\n".encode(), b"")
        assert server.canceled.is_set()


def test_what_cannot_be_canceled_is_told_and_fails(fake: ModuleType, run: Callable[..., Any]) -> None:
    def refuse(request: Any, peer: Any) -> bool:
        peer.answer(200, {"faultstring": "it has ended"})
        return True

    def accept(request: Any, peer: Any) -> bool:
        peer.answer(200, {"id": "b", "status": "canceled"})
        return True

    with fake.ScriptedServer(refuse, accept) as server:
        got = run("--url", server.url, "execution", "cancel", "a", "b")
    assert got == (1, b"b canceled\n", b"a: it has ended\n")


@pytest.mark.parametrize(
    ("words", "path", "body", "printed"),
    [
        (["cancel", "--action", "core.local", "--status", "delayed"], "cancel",
         {"action": "core.local", "status": "delayed"}, b"a canceled\n"),
        (["re-run", "a", "--also", "b"], "re_run", {"ids": ["a", "b"]}, b"a c requested\n"),
        (["re-run", "--status", "failed"], "re_run", {"status": "failed"}, b"a c requested\n"),
    ],
)  # fmt: skip
def test_many_are_canceled_or_run_again_with_one_call(
    fake: ModuleType, run: Callable[..., Any], words: list[str], path: str, body: Any, printed: bytes
) -> None:
    def answer(request: Any, peer: Any) -> bool:
        assert (request.path, request.body) == (f"/v1/executions/{path}", body)
        made = {"status": "canceled"} if path == "cancel" else {"execution": "c", "status": "requested"}
        peer.answer(200, [{"id": "a", **made}, {"id": "b", "faultstring": "it has ended"}])
        return True

    with fake.ScriptedServer(answer) as server:
        got = run("--url", server.url, "execution", *words)
    assert got == (1, printed, b"b: it has ended\n")


@pytest.mark.parametrize(
    "words", [["cancel"], ["cancel", "a", "--status", "failed"], ["re-run"], ["re-run", "a", "x=1", "--also", "b"]]
)
def test_many_are_named_in_one_way_only(run: Callable[..., Any], words: list[str]) -> None:
    got = run("--url", "http://127.0.0.1:1", "execution", *words)
    assert (got.status, b"needs" in got.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "tasks", "reset"),
    [
        (["last", "--from-failed"], ["*"], []),
        (["last", "--from-failed", "--reset", "*"], ["*"], ["*"]),
        (["last", "--tasks", "t", "u"], ["t", "u"], []),
        (["last", "--tasks", "t", "u", "--reset", "t"], ["t", "u"], ["t"]),
    ],
)
def test_tasks_of_a_workflow_run_again(
    fake: ModuleType, run: Callable[..., Any], words: list[str], tasks: list[str], reset: list[str]
) -> None:
    with fake.FakeSquall([]) as server:
        got = run("--url", server.url, "execution", "re-run", *words)
        posted = next(request for request in server.requests if request.method == "POST")
    assert got.status == 0
    assert posted.body == {"parameters": {}, "tasks": tasks, "reset": reset, "delay": 0}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a", "--from-failed", "--tasks", "t"], b"--from-failed and --tasks exclude each other"),
        (["a", "x=1", "--from-failed"], b"need one id without parameters"),
        (["a", "--also", "b", "--tasks", "t"], b"need one id without parameters"),
        (["--status", "failed", "--from-failed"], b"need one id without parameters"),
        (["--reset", "t"], b"re-run needs one of: an id"),
    ],
)
def test_tasks_are_of_one_workflow_that_keeps_its_parameters(
    run: Callable[..., Any], words: list[str], message: bytes
) -> None:
    got = run("--url", "http://127.0.0.1:1", "execution", "re-run", *words)
    assert (got.status, message in got.err) == (2, True)


def test_running_again_streams_like_run_with_changed_parameters(fake: ModuleType, run: Callable[..., Any]) -> None:
    with fake.FakeSquall([("stdout", b"again\n")], status="timeout") as server:
        got = run("--url", server.url, "execution", "re-run", "last", "timeout=9", "--", "date")
        posted = next(request for request in server.requests if request.method == "POST")
    assert (got.status, got.out) == (124, b"again\n")
    assert posted.path == f"/v1/executions/{ID}/re_run"
    assert posted.body["parameters"] == {"timeout": 9, "cmd": "date"}


@pytest.mark.parametrize(("verb", "status"), [("pause", "pausing"), ("resume", "resuming")])
def test_workflows_are_paused_and_resumed(fake: ModuleType, run: Callable[..., Any], verb: str, status: str) -> None:
    with fake.FakeSquall([]) as server:
        got = run("--url", server.url, "execution", verb, "last", ID)
        bodies = [(each.path, each.body) for each in server.requests if each.method == "PUT"]
    assert got == (0, f"{ID} {status}\n".encode() * 2, b"")
    assert bodies == [(f"/v1/executions/{ID}", {"status": status})] * 2


def test_what_cannot_be_paused_is_told_and_the_others_are_still_asked(
    fake: ModuleType, run: Callable[..., Any]
) -> None:
    class Refusing(fake.FakeSquall):  # type: ignore[misc, name-defined]
        def respond(self, request: Any, peer: Any) -> bool:
            if request.path.endswith("/nope"):
                peer.answer(400, {"faultstring": "it has ended"})
                return True
            return bool(super().respond(request, peer))

    with Refusing([]) as server:
        got = run("--url", server.url, "execution", "pause", "nope", ID)
    assert got == (1, f"{ID} pausing\n".encode(), b"nope: it has ended\n")


@pytest.mark.parametrize(("verb", "status"), [("pause", "pausing"), ("resume", "resuming"), ("cancel", "canceling")])
def test_an_unknown_execution_gives_exit_status_2_and_the_others_still_change(
    fake: ModuleType, run: Callable[..., Any], verb: str, status: str
) -> None:
    class Refusing(fake.FakeSquall):  # type: ignore[misc, name-defined]
        def respond(self, request: Any, peer: Any) -> bool:
            refusals = {"nope": (404, "it does not exist"), "late": (400, "it has ended")}
            refusal = refusals.get(request.path.rpartition("/")[2])
            if refusal is not None:
                peer.answer(refusal[0], {"faultstring": refusal[1]})
            return refusal is not None or bool(super().respond(request, peer))

    with Refusing([]) as server:
        got = run("--url", server.url, "execution", verb, "nope", ID, "late")
    assert got.status == 2
    assert got.out.decode().startswith(f"{ID} {status}"), got
    assert got.err.decode().splitlines() == [
        "nope: execution 'nope' does not exist; squall execution list shows all",
        "late: it has ended",
    ]
