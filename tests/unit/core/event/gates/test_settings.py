"""The keys of rules over time: what is allowed, what a fault says, and which group an event belongs to."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.content.metadata_words import MetadataError
from squall.core.event.gates.settings import NO_GROUP, absent_within, correlation_of, defers, group_of, throttle_of
from squall.core.event.rules.path_parts import StepsError
from squall.core.event.rules.reading import make_rule

OTHER = {"trigger": {"type": "p.u"}}


def rule(**own: Any) -> Any:
    """A rule with these keys."""
    return make_rule({"name": "r", "pack": "p", "trigger": {"type": "p.t"}, "action": {"ref": "core.noop"}, **own})


def test_keys_are_read_with_their_defaults() -> None:
    assert (throttle_of(rule()), correlation_of(rule()), absent_within(rule())) == (None, None, 0)
    assert throttle_of(rule(throttle={"within": "1m30s"})) == (90_000_000, (), "first", 0)
    counting = {"within": 0.5, "mode": "count", "count": 3, "by": "trigger.a"}
    assert throttle_of(rule(throttle=counting)) == (500_000, ("trigger.a",), "count", 3)
    assert absent_within(rule(absent={"within": 1e-9})) == 1
    correlation = correlation_of(
        rule(correlate={"any": [OTHER, {**OTHER, "by": ["trigger.b"]}], "within": 1, "by": ["trigger.a"]})
    )
    assert correlation is not None
    assert [each.by for each in correlation.entries] == [("trigger.a",), ("trigger.b",)]
    short, long = (correlation_of(rule(correlate={"all": [each], "within": 1})) for each in ("p.u", OTHER))
    assert short == long


@pytest.mark.parametrize(
    ("own", "fault"),
    [
        ({"throttle": {"within": 1, "mode": "nth"}}, "throttle.mode: 'nth' is none of first, last, count"),
        ({"throttle": {"within": 1, "mode": "count"}}, "throttle.count: the number of events"),
        ({"throttle": {"within": 1, "mode": "count", "count": 1}}, "from 2 to 1000, not 1"),
        ({"throttle": {"within": 1, "mode": "count", "count": 1001}}, "from 2 to 1000, not 1001"),
        ({"throttle": {"within": 1, "count": 5}}, 'throttle.count: only the mode "count" has a count'),
        ({"throttle": {"within": 1, "by": ["trigger.a"] * 11}}, "throttle.by: at most 10 paths"),
        ({"throttle": {"within": 1, "by": "trigger.["}}, "throttle.by: the path"),
        ({"throttle": {"within": -1}}, "throttle.within"),
        ({"absent": {"within": 1}, "throttle": {"within": 1}}, 'throttle: a rule with "absent" fires when no event'),
        ({"absent": {"within": 1}, "correlate": {"all": [OTHER], "within": 1}}, 'cannot have "correlate"'),
        ({"absent": {"within": 1}, "type": {"ref": "backstop"}}, 'absent: a backstop rule cannot have "absent"'),
        ({"correlate": {"all": [], "within": 1}}, "needs exactly one of all, any, sequence"),
        ({"correlate": {"all": [OTHER], "any": [OTHER], "within": 1}}, "needs exactly one of all, any, sequence"),
        ({"correlate": {"all": [OTHER] * 11, "within": 1}}, "correlate.all: at most 10 further events, not 11"),
        ({"correlate": {"all": ["nodot"], "within": 1}}, "correlate.all.0: 'nodot' is no reference"),
        ({"correlate": {"all": [5], "within": 1}}, "correlate.all.0"),
        ({"correlate": {"all": [{}], "within": 1}}, "correlate.all.0: 'trigger' is a required property"),
        ({"correlate": {"all": [{"trigger": {"type": "nodot"}}], "within": 1}}, "correlate.all.0.trigger.type"),
        ({"correlate": {"all": [{**OTHER, "rule": "p.r"}], "within": 1}}, "correlate.all.0.rule"),
        ({"correlate": {"all": [{**OTHER, "criteria": {"trigger.a": {}}}], "within": 1}}, "correlate.all.0.criteria"),
        ({"correlate": {"all": [{**OTHER, "by": "trigger.a"}], "within": 1}}, "correlate.all.0.by: needs as many"),
        (
            {"correlate": {"all": [{"trigger": {"type": "p.u", "parameters": {"a": ["{{ x }}"]}}}], "within": 1}},
            "correlate.all.0.trigger.parameters: the parameters of a further event cannot be templates",
        ),
    ],
)
def test_a_fault_names_the_key_and_what_is_allowed(own: dict[str, Any], fault: str) -> None:
    with pytest.raises(MetadataError) as error:
        rule(**own)
    assert fault in str(error.value)


def test_only_rules_that_fire_later_render_their_parameters_later() -> None:
    later: list[dict[str, Any]] = [
        {"hold": True},
        {"absent": {"within": 1}},
        {"correlate": {"all": [OTHER], "within": 1}},
        {"throttle": {"within": 1, "mode": "last"}},
    ]
    assert all(defers(rule(**own)) for own in later)
    assert not any(defers(rule(**own)) for own in ({}, {"hold": False}, {"throttle": {"within": 1}}))


def test_events_with_equal_values_are_of_one_group() -> None:
    paths = ("trigger.a", "trigger.b.c")
    same = group_of(paths, {"a": {"x": 1, "y": 2}, "b": {"c": None}})
    assert same == group_of(paths, {"a": {"y": 2, "x": 1}, "b": {}, "d": 9})
    assert same.key != group_of(paths, {"a": 1, "b": {}}).key
    assert group_of(paths, {"a": "1", "b": {}}).key != group_of(paths, {"a": 1, "b": {}}).key
    assert group_of((), {"a": 1}) == NO_GROUP
    assert len(group_of(("trigger.a",), {"a": "x" * 10_000}).values) < 200


def test_a_group_does_not_look_at_more_values_than_criteria_may() -> None:
    with pytest.raises(StepsError):
        group_of(("trigger..missing",) * 10, {"a": [[0] * 1000] * 1000})
