"""Timers with the official client."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from tests.scenarios.live.server import Ran, Server

St2 = Callable[..., Ran]


@pytest.fixture
def timer(plain_server: Server) -> Iterator[str]:
    """The ref of a timer that does not fire during the test."""
    body = {
        "name": "st2timer",
        "pack": "peer",
        "trigger": {"type": "core.st2.IntervalTimer", "parameters": {"unit": "weeks", "delta": 7}},
        "action": {"ref": "core.noop"},
    }
    made = plain_server.call("POST", "/v1/rules", body)
    assert made.status == 201, made
    yield made.json["trigger"]["ref"]
    assert plain_server.call("DELETE", "/v1/rules/peer.st2timer").status == 204


def test_timers_are_listed_by_type_and_shown(plain_server: Server, st2: St2, timer: str) -> None:
    listed = json.loads(st2(plain_server, "timer", "list", "-j").out)
    assert timer in {f"core.{each['name']}" for each in listed}
    others = st2(plain_server, "timer", "list", "--timer-type", "core.st2.CronTimer").out
    assert timer.removeprefix("core.").encode() not in others
    shown = json.loads(st2(plain_server, "timer", "get", timer, "-j").out)
    assert (shown["type"], shown["parameters"]) == ("core.st2.IntervalTimer", {"unit": "weeks", "delta": 7})


def test_a_type_that_is_no_timer_and_a_timer_that_does_not_exist_are_errors(plain_server: Server, st2: St2) -> None:
    refused = plain_server.call("GET", "/v1/timers?timer_type=bogus")
    assert refused.status == 400
    assert refused.json["faultstring"].startswith("Timer type bogus not in supported types - ")
    missing = plain_server.call("GET", "/v1/timers/nosuch")
    assert missing.json == {"faultstring": 'Resource with a reference or id "nosuch" not found'}
    gone = st2(plain_server, "timer", "get", "nosuch")
    assert b"not found" in gone.out + gone.err
