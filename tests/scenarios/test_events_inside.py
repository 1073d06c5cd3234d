"""Events inside of Squall on a real server: ended executions, notifications, keys, and loops of rules."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.scenarios.live.server import Server

from squall.testing.waiting import until

ACTION = "core.st2.generic.actiontrigger"


@contextmanager
def rule(server: Server, name: str, trigger: str, action: str = "core.noop", **fields: Any) -> Iterator[None]:
    """A rule, until the block ends."""
    parameters, of_trigger = fields.pop("parameters", {}), fields.pop("of_trigger", {})
    body = {
        "name": name,
        "pack": "default",
        "enabled": True,
        "trigger": {"type": trigger, "parameters": of_trigger},
        "action": {"ref": action, "parameters": parameters},
        **fields,
    }
    made = server.call("POST", "/v1/rules", body)
    assert made.status == 201, made.json
    yield
    assert server.call("DELETE", f"/v1/rules/default.{name}").status == 204


def instances(server: Server, trigger: str) -> list[dict[str, Any]]:
    """The instances of a trigger, the oldest first."""
    page: list[dict[str, Any]] = server.get("/v1/triggerinstances", trigger=trigger, limit=100)
    return page[::-1]


def executions_of(server: Server, name: str) -> list[str]:
    """The ids of the executions that a rule has started."""
    enforcements = server.get("/v1/ruleenforcements", rule_ref=f"default.{name}", limit=100)
    return [each["execution_id"] for each in enforcements if each.get("execution_id")]


def test_a_rule_that_triggers_itself_stops_after_twenty_turns_with_a_reason(plain_server: Server) -> None:
    server = plain_server
    with rule(server, "loop", ACTION, criteria={"trigger.action_ref": {"type": "equals", "pattern": "core.noop"}}):
        first = server.request("core.noop")

        def stopped() -> list[dict[str, Any]]:
            return [each for each in instances(server, ACTION) if each["status"] == "processing_failed"]

        until(stopped, "the loop stops")
        (last,) = stopped()
        assert "loop" in last["failure_reason"]
        assert len(executions_of(server, "loop")) == 21
    payload = instances(server, ACTION)[0]["payload"]
    assert payload["execution_id"] == first
    assert payload["action_name"] == payload["action_ref"] == "core.noop"
    (trace,) = server.get("/v1/traces", execution=first)
    assert len(trace["trigger_instances"]) == len(trace["action_executions"]) == 22
    assert trace["trigger_instances"][0]["caused_by"] == {"type": "action_execution", "id": first}


def test_an_action_that_sends_the_event_of_its_own_rule_stops_too(plain_server: Server) -> None:
    server = plain_server
    made = server.call("POST", "/v1/triggertypes", {"name": "again", "pack": "default"})
    assert made.status == 201, made.json
    sends = {"trigger": "default.again", "payload": {"n": "{{ trigger.n }}"}}
    with rule(server, "sender", "default.again", "core.inject_trigger", parameters=sends):
        body = {"trigger": "default.again", "payload": {"n": 7}}
        assert server.call("POST", "/v1/webhooks/st2", body).status == 202
        until(
            lambda: any(each["status"] == "processing_failed" for each in instances(server, "default.again")),
            "it stops",
        )
        assert {each["payload"]["n"] for each in instances(server, "default.again")} == {7}
        execution = server.ended(executions_of(server, "sender")[0])
    assert execution["result"]["result"] == {"trigger": "default.again", "payload": {"n": 7}}


def test_an_ended_execution_notifies_each_route_of_each_part_that_applies(server: Server) -> None:
    notify = {
        "on-complete": {"message": "{{ action_parameters.cmd }} ended", "routes": ["a", "b"], "data": {"by": "x"}},
        "on-success": {"channels": ["c"]},
        "on-failure": {"routes": ["d"]},
    }
    with rule(server, "told", "core.st2.generic.notifytrigger"):
        body = {"action": "core.local", "parameters": {"cmd": "echo hi"}, "notify": notify}
        execution = server.call("POST", "/v1/executions", body).json["id"]
        until(lambda: len(executions_of(server, "told")) == 3, "three notifications")
    payloads = [each["payload"] for each in instances(server, "core.st2.generic.notifytrigger")]
    assert [(each["route"], each["message"]) for each in payloads] == [
        ("a", "echo hi ended"),
        ("b", "echo hi ended"),
        ("c", "Action core.local succeeded."),
    ]
    assert {each["execution_id"] for each in payloads} == {execution}
    assert payloads[0]["data"]["by"] == "x"
    assert '"stdout": "hi"' in payloads[0]["data"]["result"]


def test_a_rule_follows_the_key_in_the_parameters_of_its_trigger(server: Server) -> None:

    def write(value: str) -> None:
        assert server.call("PUT", "/v1/keys/hook", {"name": "hook", "value": value}).status == 200

    def url_of(name: str) -> Any:
        shown = server.get(f"/v1/rules/default.{name}")
        reply = server.call("GET", f"/v1/triggers/{shown['trigger']['ref']}")
        # Between the two answers, the rule may have moved to another trigger.
        return reply.json["parameters"]["url"] if reply.status == 200 else None

    write("first")
    with rule(server, "mover", "core.st2.webhook", of_trigger={"url": "{{ st2kv.system.hook }}"}):
        assert url_of("mover") == "first"
        write("second")
        until(lambda: url_of("mover") == "second", "the new URL")
        assert server.call("POST", "/v1/webhooks/first", {}).status == 404
        assert server.call("POST", "/v1/webhooks/second", {}).status == 202
        assert server.call("DELETE", "/v1/keys/hook").status == 204
        until(lambda: "trigger_error" in server.get("/v1/rules/default.mover"), "the error")
        assert url_of("mover") == "second"
        write("third")
        until(lambda: url_of("mover") == "third", "the new URL")
        assert "trigger_error" not in server.get("/v1/rules/default.mover")


def test_a_hostile_text_of_a_notification_is_sent_as_it_was_written_and_delays_no_other(
    plain_server: Server,
) -> None:
    server = plain_server
    hostile = (
        "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}"
    )
    with rule(server, "heard", "core.st2.generic.notifytrigger"):
        for name, text in (("slow", hostile + "{% endfor %}"), ("quick", "fine")):
            body = {"action": "core.noop", "notify": {"on-complete": {"routes": [name], "message": text}}}
            assert server.call("POST", "/v1/executions", body).status == 201
        until(lambda: len(executions_of(server, "heard")) == 2, "both notifications")
    payloads = [each["payload"] for each in instances(server, "core.st2.generic.notifytrigger")]
    assert [each["route"] for each in payloads if each["route"] in ("slow", "quick")] == ["quick", "slow"]
    assert payloads[-1]["message"].startswith("{% for a")
