"""Test cases over time, for each key that lets a rule wait."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.errors import InvalidError
from squall.core.event.rehearsals.cases import deviations, read_cases
from squall.core.event.rules.reading import make_rule
from squall.core.expr.jinja import Jinja

RULE = {
    "name": "r",
    "trigger": {"type": "a.alert"},
    "criteria": {"trigger.level": {"type": "gt", "pattern": 3}},
    "action": {"ref": "core.echo", "parameters": {"message": "{{ trigger.host }}"}},
}


def alert(at: Any, host: str = "web1", level: int = 5, **others: Any) -> dict[str, Any]:
    return {"at": at, "payload": {"host": host, "level": level}, **others}


def run(own: dict[str, Any], events: list[Any], fires: list[Any], **others: Any) -> list[str]:
    rule = {**RULE, **own}
    timeline = {
        "events": events,
        "fires": [each if isinstance(each, dict) else {"at": each} for each in fires],
        **others,
    }
    return deviations(read_cases({"rule": rule, "over_time": [timeline]}), make_rule(rule), Jinja(), 0)


def test_a_rule_without_own_keys_fires_for_each_match() -> None:
    assert (
        run(
            {},
            [alert(0), alert("1m", level=1), alert("2m", "web2")],
            [0, {"at": "2m", "parameters": {"message": "web2"}}],
        )
        == []
    )


def test_first_is_quiet_for_the_span_in_each_group() -> None:
    own = {"throttle": {"within": "10m", "by": "trigger.host"}}
    events = [alert(0), alert("5m"), alert("5m", "web2"), alert("10m")]
    assert run(own, events, [0, "5m", "10m"]) == []


def test_last_fires_at_the_end_for_the_newest_event() -> None:
    own = {"throttle": {"within": "1m", "mode": "last"}}
    assert run(own, [alert(0, "a"), alert(30, "b")], [{"at": 60, "parameters": {"message": "b"}}]) == []


def test_count_fires_for_the_nth_event() -> None:
    own = {"throttle": {"within": "1m", "mode": "count", "count": 3}}
    assert run(own, [alert(0), alert(50), alert(70), alert(80)], [80]) == []


def test_a_sequence_fires_when_its_last_event_comes() -> None:
    own = {
        "correlate": {"sequence": ["a.deploy"], "within": "5m", "by": "trigger.host"},
        "action": {"ref": "core.echo", "parameters": {"message": "{{ events | length }} events of {{ trigger.host }}"}},
    }
    deploy = {"at": "1m", "trigger": "a.deploy", "payload": {"host": "web1"}}
    expected = {"at": "1m", "parameters": {"message": "2 events of web1"}}
    assert run(own, [alert(0), deploy], [expected]) == []
    assert run(own, [alert(0, "web2"), deploy], []) == []
    assert run(own, [alert("2m"), deploy], []) == []


def test_an_absence_fires_once_until_the_next_event() -> None:
    own = {"absent": {"within": "1m"}, "action": {"ref": "core.noop"}}
    assert run(own, [alert(30), alert("5m")], [90, "6m"], until="10m") == []
    assert run(own, [], [60], until="10m") == []


def test_other_times_and_parameters_are_deviations() -> None:
    [line] = run({}, [alert(0)], [5])
    assert line == "over_time 0: expected that the rule fires at 5 s; it fires at 0 s"
    [line] = run({}, [alert(0)], [{"at": 0, "parameters": {"message": "web2"}}], name="hosts")
    assert line == 'hosts: parameter message at 0 s: expected "web2", got "web1"'


def test_a_fire_whose_parameters_fail_is_a_deviation() -> None:
    [line] = run({}, [{"at": 0, "payload": {"level": 5}}], [0])
    assert "the rule fires at 0 s: parameter" in line


def test_events_of_another_trigger_do_not_count() -> None:
    assert run({}, [alert(0, trigger="a.other"), alert(1, trigger={"type": "a.alert"})], [1]) == []


@pytest.mark.parametrize("at", ["soon", -1, 1e12])
def test_a_wrong_time_is_refused(at: Any) -> None:
    with pytest.raises(InvalidError):
        run({}, [alert(at)], [])
