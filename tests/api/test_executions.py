"""One execution over HTTP: request it, look at it, cancel it, run it again."""

from __future__ import annotations

import gzip
import json
import socket
from typing import Any

import pytest
from tests.scenarios.live.server import Server

NOBODYS = "0123456789abcdef01234567"


def count(server: Server) -> str:
    """How many executions there are."""
    return server.call("GET", "/v1/executions?limit=1").headers["x-total-count"]


@pytest.fixture(scope="module")
def finished(plain_server: Server) -> str:
    execution = plain_server.shell("echo '{\"a\": 1}'")
    plain_server.ended(execution)
    return execution


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"action": "no.such"}, 'Action "no.such" cannot be found.'),
        ({"action": "live.disabled"}, "disabled"),
        ({}, "'action' is a required property"),
        ({"action": None}, "'action' is a required property"),
        ({"action": 5}, "action"),
        ({"action": "core.noop", "parameters": [1]}, "parameters"),
        ({"action": "core.noop", "parameters": "x"}, "parameters"),
        ({"action": "core.noop", "user": 5}, "user"),
        ({"action": "core.noop", "context": "x"}, "context"),
        ({"action": "core.noop", "delay": -1}, "delay"),
        ({"action": "core.noop", "delay": "soon"}, "delay"),
        ({"action": "core.noop", "delay": True}, "delay"),
        ({"action": "core.noop", "context": {"parent": {"execution_id": NOBODYS}}}, NOBODYS),
        ({"action": "core.noop", "context": {"parent": {"execution_id": 7}}}, "parent"),
        ({"action": "core.noop", "context": {"parent": "x"}}, "parent"),
        ({"action": "live.typed"}, "'count' is a required property"),
        ({"action": "live.typed", "parameters": {"count": None}}, "count"),
        ({"action": "live.typed", "parameters": {"count": "many"}}, "count"),
        ({"action": "live.typed", "parameters": {"count": 1.5}}, "count"),
        ({"action": "live.typed", "parameters": {"count": -1}}, "count"),
        ({"action": "live.typed", "parameters": {"count": 1, "mode": "odd"}}, "mode"),
        ({"action": "live.typed", "parameters": {"count": 1, "mode": 5}}, "mode"),
        ({"action": "live.typed", "parameters": {"count": 1, "names": {"a": 1}}}, "names"),
        ({"action": "live.typed", "parameters": {"count": 1, "options": [1]}}, "options"),
        ({"action": "live.typed", "parameters": {"count": 1, "loud": "perhaps"}}, "loud"),
        ({"action": "live.typed", "parameters": {"count": 1, "bogus": 1}}, "'bogus' was unexpected"),
        (
            {"action": "live.typed", "parameters": {"count": 1, "fixed": "x"}},
            "Override of immutable parameter(s) ['fixed']",
        ),
        (
            {"action": "live.typed", "parameters": {"count": "{{ nosuch }}"}},
            'Dependency unsatisfied in variable "nosuch"',
        ),
        ({"action": "core.local"}, "'cmd' is a required property"),
        ({"action": "core.local", "parameters": {"cmd": 5}}, "cmd"),
        ({"action": "core.local", "parameters": {"cmd": "true", "sudo": True}}, "sudo"),
    ],
)
def test_a_wrong_request_names_what_is_wrong_and_makes_nothing(
    plain_server: Server, body: dict[str, Any], told: str
) -> None:
    before = count(plain_server)
    reply = plain_server.call("POST", "/v1/executions", body)
    assert (reply.status, told in reply.fault) == (400, True), reply
    assert count(plain_server) == before


@pytest.mark.parametrize(
    "raw", [b"{bad json", b"[]", b'[{"action": "core.noop"}]', b'"text"', b"5", b"null", b"\xff\xfe",
            b'{"action": "core.noop"', b"[" * 100_000, b'{"action": "core.noop", "delay": 1e999}'],
)  # fmt: skip
def test_a_body_that_is_no_json_object_is_refused(plain_server: Server, raw: bytes) -> None:
    before = count(plain_server)
    reply = plain_server.call("POST", "/v1/executions", raw=raw, headers={"Content-Type": "application/json"})
    assert (reply.status, bool(reply.fault)) == (400, True)
    assert count(plain_server) == before


def test_an_empty_body_is_an_empty_object(plain_server: Server) -> None:
    assert plain_server.call("POST", "/v1/executions").fault == "'action' is a required property"


def test_a_huge_body_is_refused_before_it_is_read(plain_server: Server) -> None:
    before = count(plain_server)
    body = {"action": "core.local", "parameters": {"cmd": "x" * (11 << 20)}}
    reply = plain_server.call("POST", "/v1/executions", body)
    assert (reply.status, "max_body_bytes" in reply.fault) == (413, True)
    assert count(plain_server) == before


def test_unknown_fields_and_a_status_are_ignored(plain_server: Server) -> None:
    body = {"action": "core.noop", "bogus": 1, "status": "succeeded", "user": "somebody"}
    reply = plain_server.call("POST", "/v1/executions", body)
    assert (reply.status, reply.json["status"], reply.json["context"]["user"]) == (201, "requested", "somebody")


def test_strings_are_cast_and_templates_rendered(plain_server: Server) -> None:
    parameters = {"count": "7", "loud": "true", "names": '["a"]', "mode": "{{ 'slow' }}"}
    execution = plain_server.request("live.typed", **parameters)
    document = plain_server.ended(execution)
    assert document["parameters"] == {"count": 7, "loud": True, "names": ["a"], "mode": "slow"}


@pytest.mark.parametrize("execution", [NOBODYS, "bad-id", "0", "x" * 300, "%00", "..%2F..", "ünicode".encode().hex()])
@pytest.mark.parametrize(
    ("method", "rest"),
    [("GET", ""), ("GET", "/output"), ("GET", "/children"), ("GET", "/attribute/result"), ("GET", "/result"),
     ("DELETE", ""), ("POST", "/re_run"), ("PUT", "")],
)  # fmt: skip
def test_an_id_that_is_not_there_is_404(plain_server: Server, execution: str, method: str, rest: str) -> None:
    body: Any = {"status": "canceling"} if method == "PUT" else {} if method == "POST" else None
    reply = plain_server.call(method, f"/v1/executions/{execution}{rest}", body)
    assert (reply.status, bool(reply.fault)) == (404, True)


@pytest.mark.parametrize(
    "query",
    ["include_attributes=bogus", "exclude_attributes=bogus", "include_attributes=id&exclude_attributes=result",
     "exclude_attributes=action", "max_result_size=x", "show_secrets=perhaps"],
)  # fmt: skip
def test_wrong_questions_about_one_are_refused(plain_server: Server, finished: str, query: str) -> None:
    reply = plain_server.call("GET", f"/v1/executions/{finished}?{query}")
    assert (reply.status, bool(reply.fault)) == (400, True)


def test_attributes_are_chosen_by_dotted_names_given_twice(plain_server: Server, finished: str) -> None:
    asked = "action.ref,action.runner_type,status,id,status,action.ref,result.stdout,context.user"
    shown = plain_server.get(f"/v1/executions/{finished}", include_attributes=asked)
    assert set(shown) == {"id", "action", "status", "result", "context"}
    assert (shown["action"]["ref"], shown["action"]["runner_type"]) == ("core.local", "local-shell-cmd")
    assert shown["result"] == {"stdout": {"a": 1}}
    assert "result" not in plain_server.get(f"/v1/executions/{finished}", exclude_attributes="result")
    assert "result" not in plain_server.get(f"/v1/executions/{finished}", max_result_size=1)
    assert set(plain_server.get(f"/v1/executions/{finished}", include_attributes="id")) == {"id"}


def test_unknown_query_parameters_are_ignored(plain_server: Server, finished: str) -> None:
    assert plain_server.get(f"/v1/executions/{finished}", bogus="1", sort_desc="True")["id"] == finished


def test_single_attributes_are_given_alone(plain_server: Server, finished: str) -> None:
    base = f"/v1/executions/{finished}/attribute"
    assert plain_server.get(f"{base}/status") == "succeeded"
    assert plain_server.get(f"{base}/result")["stdout"] == {"a": 1}
    assert plain_server.get(f"{base}/trigger_instance") == {}
    assert plain_server.call("GET", f"{base}/parameters").status == 400


def test_the_result_is_downloaded(plain_server: Server, finished: str) -> None:
    path = f"/v1/executions/{finished}/result"
    reply = plain_server.call("GET", path)
    assert (reply.headers["content-type"], reply.json["stdout"]) == ("text/json", {"a": 1})
    pressed = plain_server.call("GET", f"{path}?compress=true&download=true&pretty_format=true")
    assert json.loads(gzip.decompress(pressed.raw)) == reply.json
    assert finished in pressed.headers["content-disposition"]


def test_last_is_the_newest(plain_server: Server) -> None:
    execution = plain_server.shell("echo last")
    plain_server.ended(execution)
    assert plain_server.get("/v1/executions/last")["id"] == execution
    with plain_server.output("last") as stream:
        assert stream.rest() == b"last\n"


def test_children_are_given_flat_and_by_depth(plain_server: Server) -> None:
    with plain_server.puppet() as (top, _):
        with plain_server.puppet(parent=top) as (child, _):
            grandchild = plain_server.request("core.noop", parent=child)
            plain_server.ended(grandchild)
        second = plain_server.request("core.noop", parent=top)
        plain_server.ended(second)
    path = f"/v1/executions/{top}/children"
    for depth, expected in (
        ("-1", {child, grandchild, second}),
        ("0", {child, grandchild, second}),
        ("1", {child, second}),
    ):
        found = plain_server.get(path, depth=depth)
        assert {item["id"] for item in found} == expected
    assert {item["parent"] for item in plain_server.get(path, depth="1")} == {top}
    assert set(plain_server.get(f"/v1/executions/{top}")["children"]) == {child, second}
    shown = plain_server.get(f"/v1/executions/{top}", include_attributes="id,children")
    assert (set(shown), set(shown["children"])) == ({"id", "children"}, {child, second})
    assert plain_server.get(f"/v1/executions/{second}/children") == []


def test_a_finished_execution_takes_no_children(plain_server: Server, finished: str) -> None:
    body = {"action": "core.noop", "context": {"parent": {"execution_id": finished}}}
    assert plain_server.call("POST", "/v1/executions", body).status == 400


def test_a_finished_execution_cannot_be_canceled(plain_server: Server, finished: str) -> None:
    reply = plain_server.call("DELETE", f"/v1/executions/{finished}")
    assert (reply.status, reply.fault) == (200, "Action cannot be canceled. State = succeeded.")
    reply = plain_server.call("PUT", f"/v1/executions/{finished}", {"status": "canceling"})
    assert (reply.status, "completed" in reply.fault) == (400, True)


def test_a_put_cancels(plain_server: Server) -> None:
    with plain_server.puppet() as (execution, _):
        plain_server.running(execution)
        reply = plain_server.call("PUT", f"/v1/executions/{execution}", {"status": "canceling"})
        assert (reply.status, reply.json["status"]) == (200, "canceling")
        assert plain_server.ended(execution)["status"] == "canceled"


@pytest.mark.parametrize(
    ("body", "told"),
    [({}, "status"), ({"status": "nonsense"}, "nonsense"), ({"status": "pausing"}, "not supported"),
     ({"status": "resuming"}, "not supported"), ({"status": "running", "result": {}}, "status"),
     ({"status": "requested"}, "requested"), ({"bogus": 1}, "'bogus' was unexpected"), ({"status": 5}, "status")],
)  # fmt: skip
def test_other_puts_are_refused_and_change_nothing(plain_server: Server, body: dict[str, Any], told: str) -> None:
    with plain_server.puppet() as (execution, _):
        plain_server.running(execution)
        reply = plain_server.call("PUT", f"/v1/executions/{execution}", body)
        assert (reply.status, told in reply.fault) == (400, True), reply
        assert plain_server.get(f"/v1/executions/{execution}")["status"] == "running"


def test_a_delayed_execution_waits_and_can_be_canceled(plain_server: Server) -> None:
    reply = plain_server.call("POST", "/v1/executions", {"action": "core.noop", "delay": 600_000})
    execution = reply.json["id"]
    document = plain_server.get(f"/v1/executions/{execution}")
    assert (document["status"], document["delay"]) == ("delayed", 600_000)
    assert plain_server.call("DELETE", f"/v1/executions/{execution}").json["status"] == "canceled"
    soon = plain_server.call("POST", "/v1/executions", {"action": "core.noop", "delay": 50}).json["id"]
    log = [entry["status"] for entry in plain_server.ended(soon)["log"]]
    assert log == ["requested", "delayed", "scheduled", "running", "succeeded"]


def test_a_re_run_takes_the_old_parameters_and_new_ones(plain_server: Server, finished: str) -> None:
    path = f"/v1/executions/{finished}/re_run"
    reply = plain_server.call("POST", path, {"parameters": {}, "tasks": [], "reset": [], "delay": 0})
    assert (reply.status, reply.json["context"]["re-run"]["ref"]) == (201, finished)
    assert reply.json["parameters"] == {"cmd": "echo '{\"a\": 1}'"}
    changed = plain_server.call("POST", path, {"parameters": {"timeout": 9}}).json["id"]
    assert plain_server.ended(changed)["parameters"]["timeout"] == 9
    before = count(plain_server)
    wrong: list[dict[str, Any]] = [
        {"tasks": ["a"]},
        {"parameters": {"bogus": 1}},
        {"parameters": []},
        {"delay": -1},
        {"tasks": "x"},
    ]
    for body in wrong:
        assert plain_server.call("POST", path, body).status == 400
    assert count(plain_server) == before


def test_the_values_to_filter_by_are_told(plain_server: Server, finished: str) -> None:
    told = plain_server.call("GET", "/v1/executions/views/filters").json
    assert "core.local" in told["action"]
    assert "succeeded" in told["status"]
    assert told["action"] == sorted(set(told["action"]))
    assert {"runner", "user"} <= told.keys()
    assert plain_server.call("GET", "/v1/executions/views/filters?types=status").json.keys() == {"status"}
    assert plain_server.call("GET", "/v1/executions/views/filters?types=bogus").json == {}


def test_many_are_canceled_or_run_again_with_one_call(plain_server: Server, finished: str) -> None:
    waiting = plain_server.call("POST", "/v1/executions", body={"action": "core.noop", "delay": 600_000}).json["id"]
    told = plain_server.call("POST", "/v1/executions/cancel", body={"ids": [waiting, finished, NOBODYS]}).json
    assert told[0] == {"id": waiting, "status": "canceled"}
    assert told[1] == {"id": finished, "faultstring": "Action cannot be canceled. State = succeeded."}
    assert NOBODYS in told[2]["faultstring"]
    (again,) = plain_server.call("POST", "/v1/executions/re_run", body={"ids": [finished]}).json
    assert again["id"] == finished
    assert plain_server.ended(again["execution"])["status"] == "succeeded"
    plain_server.call("POST", "/v1/executions", body={"action": "core.noop", "delay": 600_000})
    told = plain_server.call("POST", "/v1/executions/cancel", body={"status": "delayed", "action": "core.noop"}).json
    assert told
    assert {each["status"] for each in told} == {"canceled"}


@pytest.mark.parametrize("body", [{}, {"ids": "x"}, {"ids": [5]}, {"ids": [], "status": "running"}, {"status": 5}])
def test_a_call_about_many_says_which(plain_server: Server, body: dict[str, Any]) -> None:
    reply = plain_server.call("POST", "/v1/executions/cancel", body=body)
    assert reply.status == 400
    assert "faultstring" in reply.json


@pytest.mark.stalls("the server reads a JSON document of five megabytes in one piece")
def test_a_parameter_of_five_megabytes_works(plain_server: Server) -> None:
    text = "x" * 5_000_000
    made = plain_server.request("live.typed", count=1, options={"text": text})
    assert plain_server.ended(made)["parameters"]["options"]["text"] == text


def test_a_parameter_of_five_hundred_megabytes_is_refused_before_it_is_sent(plain_server: Server) -> None:
    with socket.create_connection(("127.0.0.1", plain_server.port), 30) as wire:
        head = "POST /v1/executions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
        wire.sendall((head % plain_server.port + f"Content-Length: {500 << 20}\r\n\r\n{{").encode())
        answer = b""
        while not answer.endswith(b"}") and (piece := wire.recv(1 << 16)):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"max_body_bytes" in answer


def test_the_result_is_downloaded_as_recorded(plain_server: Server) -> None:
    made = plain_server.shell("echo out")
    plain_server.ended(made)
    plain = plain_server.call("GET", f"/v1/executions/{made}/result?download=true")
    assert plain.headers["content-disposition"] == f"attachment; filename=execution_{made}_result.json"
    packed = plain_server.call("GET", f"/v1/executions/{made}/result?download=true&compress=true")
    assert (packed.headers["content-type"], packed.headers["content-encoding"]) == ("application/x-gzip", "gzip")
    assert packed.headers["content-disposition"].endswith("_result.json.gz")
    assert json.loads(gzip.decompress(packed.raw)) == plain.json
    pretty = plain_server.call("GET", f"/v1/executions/{made}/result?pretty_format=true")
    assert pretty.json == plain.json
    assert b"\n    " in pretty.raw


@pytest.mark.parametrize(
    "body",
    [b"\xff", b'{"action": "\xff"}', b'{"action": "core.noop", "user": "\xc3"}', b"[" * 100_000, b'{"a": "\\ud800"}'],
)
def test_a_body_that_cannot_be_decoded_is_the_clients_fault(plain_server: Server, body: bytes) -> None:
    reply = plain_server.call("POST", "/v1/executions", raw=body, headers={"Content-Type": "application/json"})
    assert reply.status == 400


@pytest.mark.parametrize("path", ["/v1/packs/views/file/core/%00", "/v1/actions/core%00.local", "/%00"])
def test_a_path_with_a_null_byte_names_nothing(plain_server: Server, path: str) -> None:
    assert plain_server.call("GET", path).status == 404


@pytest.mark.parametrize(
    "expression",
    ["'[a'|from_yaml_string", "'!!python/object/apply:os.system [1]'|from_yaml_string", "{}|jsonpath_query('[')",
     "{'a': 'b'}|jsonpath_query('$..`sub(/a/,b)`')"],
)  # fmt: skip
def test_an_expression_that_fails_is_the_clients_fault(plain_server: Server, expression: str) -> None:
    parameters = {"cmd": "{{ " + expression + " }}"}
    reply = plain_server.call("POST", "/v1/executions", {"action": "core.local", "parameters": parameters})
    assert reply.status == 400


def test_a_template_that_is_nested_too_deeply_stays_text_like_every_broken_template(plain_server: Server) -> None:
    text = "{{ " + "(" * 500 + "1" + ")" * 500 + " }}"
    body = {"action": "core.echo", "parameters": {"message": text}}
    assert plain_server.call("POST", "/v1/executions", body).status == 201


def test_a_client_cannot_say_how_many_rules_led_to_its_request(plain_server: Server) -> None:
    body = {"action": "core.noop", "context": {"trace_context": {"trace_tag": "mine", "depth": 9}}}
    reply = plain_server.call("POST", "/v1/executions", body)
    assert reply.status == 201
    assert reply.json["context"]["trace_context"] == {"trace_tag": "mine"}
