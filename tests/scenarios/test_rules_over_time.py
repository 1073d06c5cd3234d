"""Rules over time across a kill -9 of the server: each kind keeps its state, and fires once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.live.fixtures import QUICK
from tests.scenarios.live.server import Server, serving

from squall.testing.waiting import until


@pytest.fixture(scope="module", params=["inproc", "deaf"])
def mortal(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, packs: Path) -> Iterator[Server]:
    """A server that tests kill; it hears hints, or none."""
    home = tmp_path_factory.mktemp("over-time")
    with serving(home, packs, env={**QUICK, "SQUALL_BUS_KIND": request.param}) as server:
        for name in ("came", "other"):
            body = {"name": name, "pack": "default"}
            assert server.call("POST", "/v1/triggertypes", body).status in (200, 201)
        yield server


def kill(server: Server) -> None:
    """Kills the server, and starts it again."""
    server.signal(signal.SIGKILL)
    assert server.wait() == -signal.SIGKILL
    server.start()


def make_rule(server: Server, name: str, parameters: dict[str, Any] | None = None, **own: Any) -> str:
    """Adds a rule for events of `default.came` whose payload has its name. Returns its ref."""
    body = {
        "name": name,
        "pack": "default",
        "enabled": True,
        "trigger": {"type": "default.came"},
        "criteria": {"trigger.rule": {"type": "eq", "pattern": name}},
        "action": {"ref": "core.local", "parameters": {"cmd": "true", **(parameters or {})}},
        **own,
    }
    reply = server.call("POST", "/v1/rules", body)
    assert reply.status == 201, reply.fault
    return f"default.{name}"


def send(server: Server, rule: str, trigger: str = "came", **payload: Any) -> None:
    """Sends an event, which is stored when this returns."""
    body = {"trigger": f"default.{trigger}", "payload": {"rule": rule, **payload}}
    assert server.call("POST", "/v1/webhooks/st2", body).status == 202


def evaluated(server: Server, count: int, rule: str) -> None:
    """Waits until so many events for a rule have been evaluated."""

    def processed() -> bool:
        instances = server.get("/v1/triggerinstances", limit=-1)
        mine = [each for each in instances if each["payload"].get("rule") == rule]
        return len(mine) == count and all(each["status"] == "processed" for each in mine)

    until(processed, f"{count} events of {rule} were evaluated", pause=0.05)


def enforcements(server: Server, ref: str) -> list[dict[str, Any]]:
    """The enforcements of a rule."""
    listed: list[dict[str, Any]] = server.get("/v1/ruleenforcements", rule_ref=ref)
    return listed


def fired(server: Server, ref: str, count: int = 1) -> list[dict[str, Any]]:
    """Waits until a rule has fired so often. Returns the parameters of its executions."""
    until(lambda: len(enforcements(server, ref)) >= count, f"{ref} fired {count} times", pause=0.05)
    all_of_them = enforcements(server, ref)
    assert len(all_of_them) == count
    return [server.ended(each["execution_id"])["parameters"] for each in all_of_them]


def test_a_throttle_for_the_first_event_stays_quiet_over_a_kill(mortal: Server) -> None:
    ref = make_rule(mortal, "first", throttle={"within": "1h", "by": "trigger.host"})
    send(mortal, "first", host="a")
    fired(mortal, ref)
    kill(mortal)
    for host in ("a", "a", "b"):
        send(mortal, "first", host=host)
    evaluated(mortal, 4, "first")
    fired(mortal, ref, 2)


def test_a_throttle_that_counts_goes_on_counting_after_a_kill(mortal: Server) -> None:
    ref = make_rule(mortal, "count", throttle={"within": "1h", "mode": "count", "count": 3})
    for _ in range(2):
        send(mortal, "count")
    kill(mortal)
    evaluated(mortal, 2, "count")
    assert enforcements(mortal, ref) == []
    send(mortal, "count")
    fired(mortal, ref)


def test_a_throttle_for_the_last_event_fires_once_after_a_kill(mortal: Server) -> None:
    ref = make_rule(mortal, "last", {"cmd": "echo {{ trigger.n }}"}, throttle={"within": 2, "mode": "last"})
    for n in range(3):
        send(mortal, "last", n=n)
    evaluated(mortal, 3, "last")
    kill(mortal)
    assert [each["cmd"] for each in fired(mortal, ref)] == ["echo 2"]


def test_events_are_correlated_over_a_kill_and_in_the_parameters_of_the_action(mortal: Server) -> None:
    ref = make_rule(
        mortal,
        "sequence",
        {"cmd": "echo {{ events[0].n }} {{ events[1].n }} {{ trigger.n }}"},
        correlate={"sequence": [{"trigger": {"type": "default.other"}}], "within": "1h", "by": "trigger.host"},
    )
    send(mortal, "sequence", n=1, host="a")
    evaluated(mortal, 1, "sequence")
    kill(mortal)
    send(mortal, "sequence", "other", n=2, host="b")
    send(mortal, "sequence", "other", n=3, host="a")
    kill(mortal)
    assert [each["cmd"] for each in fired(mortal, ref)] == ["echo 1 3 3"]


def test_an_event_that_does_not_come_fires_once_over_a_kill(mortal: Server) -> None:
    ref = make_rule(mortal, "absent", {"cmd": "echo {{ trigger.n | default('none') }}"}, absent={"within": 3})
    send(mortal, "absent", n=1)
    evaluated(mortal, 1, "absent")
    kill(mortal)
    assert [each["cmd"] for each in fired(mortal, ref)] == ["echo 1"]
    kill(mortal)
    send(mortal, "absent", n=2)
    assert sorted(each["cmd"] for each in fired(mortal, ref, 2)) == ["echo 1", "echo 2"]


def test_a_rule_whose_event_never_came_fires_with_an_empty_one(mortal: Server) -> None:
    ref = make_rule(mortal, "never", {"cmd": "echo {{ trigger.n | default('none') }}"}, absent={"within": 1})
    kill(mortal)
    assert [each["cmd"] for each in fired(mortal, ref)] == ["echo none"]
    [enforcement] = enforcements(mortal, ref)
    instance = mortal.get(f"/v1/triggerinstances/{enforcement['trigger_instance_id']}")
    assert (instance["trigger"], instance["payload"]) == ("core.squall.absence", {})


def test_held_matches_are_run_or_discarded_once_over_a_kill(mortal: Server) -> None:
    ref = make_rule(mortal, "held", {"cmd": "echo {{ trigger.n }}"}, hold=True)
    for n in range(3):
        send(mortal, "held", n=n)
    evaluated(mortal, 3, "held")
    kill(mortal)
    held = mortal.get(f"/v1/rules/{ref}/held")
    assert len(held) == 3
    assert enforcements(mortal, ref) == []
    ran = mortal.squall("rule", "held", ref, "--run", held[1]["id"])
    assert ran.status == 0, ran.err
    kill(mortal)
    assert [each["cmd"] for each in fired(mortal, ref)] == ["echo 1"]
    assert mortal.call("POST", f"/v1/rules/{ref}/held/run", {"ids": [held[1]["id"]]}).status == 404
    assert mortal.squall("rule", "held", ref, "--discard").status == 0
    assert mortal.get(f"/v1/rules/{ref}/held") == []
    fired(mortal, ref)


def test_a_silenced_match_starts_nothing_and_is_counted_over_a_kill(mortal: Server) -> None:
    ref = make_rule(mortal, "silent")
    assert mortal.squall("silence", "add", "--rule", ref, "--until", "1h", "--reason", "works").status == 0
    kill(mortal)
    send(mortal, "silent")
    evaluated(mortal, 1, "silent")
    [silence] = mortal.get("/v1/silences")
    assert (silence["rule"], silence["reason"], silence["count"]) == (ref, "works", 1)
    assert enforcements(mortal, ref) == []
    assert mortal.squall("silence", "remove", silence["id"]).status == 0
    send(mortal, "silent")
    fired(mortal, ref)


def test_a_deleted_rule_leaves_nothing_that_fires(mortal: Server) -> None:
    gone = make_rule(mortal, "gone", absent={"within": 1})
    assert mortal.call("DELETE", f"/v1/rules/{gone}").status == 204
    later = make_rule(mortal, "later", absent={"within": 2})
    kill(mortal)
    fired(mortal, later)
    assert enforcements(mortal, gone) == []


def test_matches_that_come_due_while_the_server_is_killed_again_and_again_fire_once(mortal: Server) -> None:
    groups = 40
    last = make_rule(mortal, "many", throttle={"within": 1, "mode": "last", "by": "trigger.n"})
    pairs = make_rule(mortal, "pairs", correlate={"all": ["default.other"], "within": "1h", "by": "trigger.n"})
    for n in range(groups):
        send(mortal, "many", n=n)
        send(mortal, "pairs", n=n)
        send(mortal, "pairs", "other", n=n)
        if n % 10 == 9:
            kill(mortal)
    for ref in (last, pairs):
        until(
            lambda ref=ref: len(enforcements(mortal, ref)) >= groups // 2,  # type: ignore[misc]
            "half of them fired",
        )
        kill(mortal)
    for ref in (last, pairs):
        until(lambda ref=ref: len(enforcements(mortal, ref)) >= groups, "all fired", pause=0.05)  # type: ignore[misc]
        kill(mortal)
        all_of_them = enforcements(mortal, ref)
        assert len({each["trigger_instance_id"] for each in all_of_them}) == len(all_of_them) == groups
        executions = {each["execution_id"] for each in all_of_them}
        assert len(executions) == groups
    started = mortal.get("/v1/executions", limit=-1)
    rules = [each["context"].get("rule", {}).get("name") for each in started]
    assert (rules.count("many"), rules.count("pairs")) == (groups, groups)
