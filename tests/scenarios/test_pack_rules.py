"""Rules of packs as they are in use: each input gives the decision that such packs expect."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import Server, serving

from squall.testing.waiting import until

PACKS = Path(__file__).parents[1] / "packs" / "events"
CASE = {"_id": "a1", "_parent": "c1", "dataType": "ip"}


@pytest.fixture(scope="module")
def squall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("pack-rules"), PACKS, env=QUICK) as found:
        yield found


class Outcome:
    """What the rules made of one event: by rule, the enforcement and, if there is one, the execution."""

    def __init__(self, server: Server, url: str, body: dict[str, Any]) -> None:
        reply = server.call("POST", f"/v1/webhooks/{url}", body)
        assert reply.status == 202, reply
        instance = reply.headers["x-squall-trigger-instance"]
        until(lambda: server.get(f"/v1/triggerinstances/{instance}")["status"] == "processed", "it is evaluated")
        self.enforcements = {
            each["rule"]["ref"]: each for each in server.get("/v1/ruleenforcements", trigger_instance=instance)
        }
        self.parameters = {
            ref: server.get(f"/v1/executions/{each['execution_id']}").get("parameters", {})
            for ref, each in self.enforcements.items()
            if each["status"] == "succeeded"
        }

    @property
    def failures(self) -> dict[str, str]:
        """The reasons by rule."""
        return {ref: each["failure_reason"] for ref, each in self.enforcements.items() if each["status"] == "failed"}


def event(server: Server, trigger: str, payload: dict[str, Any]) -> Outcome:
    return Outcome(server, "st2", {"trigger": trigger, "payload": payload})


def test_equals_compares_types_and_a_url_may_have_slashes(squall: Server) -> None:
    def merged(value: Any) -> Outcome:
        return Outcome(squall, "forge/pulls/merge", {"action": "closed", "pull_request": {"merged": value}})

    assert merged(True).enforcements == {}
    (parameters,) = merged("True").parameters.values()
    assert "'pull_request': {'merged': 'True'}" in parameters["message"]


@pytest.mark.parametrize(("occurrences", "fires", "fails"), [(2, True, False), (1, False, False), ("2", False, True)])
def test_a_comparison_of_text_with_a_number_is_a_failure(
    squall: Server, occurrences: Any, fires: bool, fails: bool
) -> None:
    check = {"output": "x\nCRITICAL - load"}
    payload = {"occurrences": occurrences, "check": check, "client": {"address": "10.0.0.5"}}
    outcome = event(squall, "checks.event", payload)
    assert outcome.parameters == ({"checks.load": {"message": "look at 10.0.0.5"}} if fires else {})
    assert ("checks.load" in outcome.failures) is fails


def test_a_missing_action_fails_alone(squall: Server) -> None:
    payload = {"service": "s", "event_id": 9, "state": "CRITICAL", "state_type": "HARD", "msg": "m", "host": "h"}
    outcome = event(squall, "alarms.alarm", {**payload, "attempt": 3})
    assert outcome.parameters == {"alarms.chat": {"message": "ALARM s ID:9 STATE:CRITICAL/HARD m"}}
    assert "doesn't exist" in outcome.failures["alarms.check"]
    assert event(squall, "alarms.alarm", {**payload, "attempt": 2}).parameters == {}


def test_two_rules_on_one_url_fire_both(squall: Server) -> None:
    body = {"action": "i", "notes": "by PROVISIONING_AUTO x", "name": "srv1"}
    assert Outcome(squall, "inventory", body).parameters == {
        "inventory.first": {"identifier": "srv1", "additional_changes": "{'tags':'2020'}"},
        "inventory.responder": {},
    }


def test_keys_may_begin_with_an_underscore(squall: Server) -> None:
    created = Outcome(squall, "cases", {"operation": "Creation", "objectType": "case_artifact", "object": CASE})
    assert created.parameters == {
        "cases.all_one": {},
        "cases.all_two": {},
        "cases.created": {"message": "a1 of c1"},
    }
    failed = Outcome(squall, "cases", {"object": {"status": "Failure", "report": {"errorMessage": "no net"}}})
    assert failed.parameters["cases.job_failure"] == {"message": "log no net"}


def test_templates_reach_into_lists(squall: Server) -> None:
    message = {"command": "MONITOR", "attributes": [{"name": "cpu", "value": 97}]}
    outcome = event(squall, "bus.message", {"topic": "test", "message": message})
    assert outcome.parameters == {"bus.parse": {"cmd": "echo cpu: 97"}}


def test_null_stays_null_and_texts_are_cast(squall: Server) -> None:
    outcome = Outcome(squall, "discovery", {"nodes": None, "ip_ranges": None, "auto_import": False})
    (parameters,) = outcome.parameters.values()
    assert parameters == {"nodes": None, "ip_ranges": None, "auto_import": False}


def test_contains_of_a_missing_value_fails_and_other_rules_fire(squall: Server) -> None:
    outcome = Outcome(squall, "firewall", {"source": "10.0.0.1"})
    assert outcome.parameters == {"firewall.update": {}}
    assert set(outcome.failures) == {"firewall.block", "firewall.tag"}
    assert all("severity" in reason for reason in outcome.failures.values())


def test_criteria_in_the_wrong_place_are_ignored(squall: Server) -> None:
    assert event(squall, "cubes.battery", {"battery": 80}).parameters == {"cubes.low charge notification": {}}
