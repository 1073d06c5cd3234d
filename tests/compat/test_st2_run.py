"""`st2 run` and `st2 execution …` of the official client, unmodified."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from tests.scenarios.live.server import Ran, Server

St2 = Callable[..., Ran]


def id_in(text: bytes) -> str:
    """The first execution id in what the client printed."""
    found = re.search(rb"\b[0-9a-f]{24}\b", text)
    assert found, text
    return found.group().decode()


@pytest.fixture(scope="module")
def finished(plain_server: Server) -> str:
    execution = plain_server.shell("echo out; echo err >&2")
    plain_server.ended(execution)
    return execution


def test_run_waits_and_shows_the_result(plain_server: Server, st2: St2) -> None:
    ran = st2(plain_server, "run", "core.local", "cmd=echo hello; echo oops >&2")
    assert ran.status == 0, ran
    text = ran.out.decode()
    for word in (
        "status: succeeded",
        "stdout: hello",
        "stderr: oops",
        "return_code: 0",
        "cmd: echo hello; echo oops >&2",
    ):
        assert word in text


def test_run_fails_with_1_when_the_action_fails(plain_server: Server, st2: St2) -> None:
    ran = st2(plain_server, "run", "core.local", "cmd=exit 4")
    assert ran.status == 1
    assert b"return_code: 4" in ran.out


def test_run_casts_parameters_by_the_schemas(plain_server: Server, st2: St2) -> None:
    ran = st2(plain_server, "run", "-j", "live.typed", "count=3", "loud=true", "names=a,b", "options=k=v", "mode=slow")
    assert ran.status == 0, ran
    parameters = json.loads(ran.out[ran.out.index(b"{") :])["parameters"]
    assert parameters == {"count": 3, "loud": True, "names": ["a", "b"], "options": {"k": "v"}, "mode": "slow"}


def test_run_shows_the_help_of_an_action(plain_server: Server, st2: St2) -> None:
    ran = st2(plain_server, "run", "core.noop", "-h")
    assert (ran.status, b"core.noop" in ran.out or b"Does nothing" in ran.out) == (0, True), ran


@pytest.mark.parametrize(
    ("words", "told"),
    [(("no.such",), "exist"), (("live.typed", "count=-1"), "count"), (("live.typed",), "required"),
     (("live.disabled",), "disabled"), (("live.typed", "count=1", "bogus=1"), "bogus")],
)  # fmt: skip
def test_run_tells_what_is_wrong(plain_server: Server, st2: St2, words: tuple[str, ...], told: str) -> None:
    ran = st2(plain_server, "run", *words)
    assert ran.status != 0
    assert told in (ran.out + ran.err).decode()


def test_run_async_prints_the_hints_with_the_id(plain_server: Server, st2: St2) -> None:
    ran = st2(plain_server, "run", "-a", "core.local", "cmd=echo x")
    assert ran.status == 0
    execution = id_in(ran.out)
    assert f"st2 execution get {execution}" in ran.out.decode()
    assert plain_server.ended(execution)["status"] == "succeeded"


def test_run_tail_shows_every_line_and_the_end(plain_server: Server, st2: St2) -> None:
    ran = st2(
        plain_server,
        "run",
        "--tail",
        "core.local",
        "cmd=for i in 1 2 3 4 5; do echo line $i; done; sleep 0.3; echo last",
    )
    assert ran.status == 0, ran
    text = ran.out.decode()
    shown = [line for line in text.splitlines() if line.startswith(("line ", "last"))]
    assert shown[:6] == ["line 1", "line 2", "line 3", "line 4", "line 5", "last"]
    assert "has completed (status=succeeded)" in text


def test_list_shows_executions_with_filters(plain_server: Server, st2: St2, finished: str) -> None:
    text = st2(plain_server, "execution", "list").out.decode()
    assert finished in text
    assert "core.local" in text
    found = json.loads(st2(plain_server, "execution", "list", "-n", "3", "--action", "core.local", "-j").out)
    assert len(found) <= 3
    assert {item["action"]["ref"] for item in found} == {"core.local"}
    assert (
        json.loads(
            st2(plain_server, "execution", "list", "--status", "timeout", "--action", "core.noop", "-j").out or b"[]"
        )
        == []
    )


def test_list_orders_both_ways(plain_server: Server, st2: St2, finished: str) -> None:
    plain_server.ended(plain_server.request("core.noop"))
    newest = [item["id"] for item in json.loads(st2(plain_server, "execution", "list", "-n", "1000", "-j").out)]
    oldest = [
        item["id"] for item in json.loads(st2(plain_server, "execution", "list", "-n", "1000", "-s", "asc", "-j").out)
    ]
    assert newest == oldest[::-1] or newest == oldest
    assert finished in newest


def test_get_shows_the_result_and_its_parts(plain_server: Server, st2: St2, finished: str) -> None:
    text = st2(plain_server, "execution", "get", finished).out.decode()
    assert "status: succeeded" in text
    assert "stdout: out" in text
    document = json.loads(st2(plain_server, "execution", "get", finished, "-j").out)
    assert document["result"] == {
        "failed": False,
        "succeeded": True,
        "return_code": 0,
        "stdout": "out",
        "stderr": "err",
    }
    assert st2(plain_server, "execution", "get", finished, "-k", "stdout").out.strip() == b"out"
    assert st2(plain_server, "execution", "get", finished, "-x").status == 0


def test_get_of_what_is_not_there_is_told(plain_server: Server, st2: St2) -> None:
    ran = st2(plain_server, "execution", "get", "0123456789abcdef01234567")
    assert ran.status != 0
    assert b"not found" in ran.out + ran.err


def test_cancel_ends_what_runs_and_says_why_not_otherwise(plain_server: Server, st2: St2, finished: str) -> None:
    execution = plain_server.shell("sleep 600")
    plain_server.running(execution)
    ran = st2(plain_server, "execution", "cancel", execution)
    assert (ran.status, execution in ran.out.decode()) == (0, True)
    assert plain_server.ended(execution)["status"] == "canceled"
    ran = st2(plain_server, "execution", "cancel", finished)
    assert b"cannot be canceled" in ran.out + ran.err


def test_re_run_runs_the_same_again(plain_server: Server, st2: St2, finished: str) -> None:
    ran = st2(plain_server, "execution", "re-run", finished)
    assert ran.status == 0, ran
    again = plain_server.get("/v1/executions/last")
    assert again["context"]["re-run"]["ref"] == finished
    assert b"stdout: out" in ran.out


def test_a_delayed_run_returns_at_once(plain_server: Server, st2: St2) -> None:
    ran = st2(plain_server, "run", "--delay", "600000", "core.noop")
    assert ran.status == 0, ran
    execution = id_in(ran.out)
    assert plain_server.get(f"/v1/executions/{execution}")["status"] == "delayed"
    plain_server.call("DELETE", f"/v1/executions/{execution}")
