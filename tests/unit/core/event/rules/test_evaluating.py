"""Decisions of rules: what public packs expect, against a second implementation, and with hostile inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.core.event.rules import naive_rules

from squall.core.content.keyvalue import KeyNames
from squall.core.errors import UnavailableError
from squall.core.event.rules.evaluating import NO_KEYS, decide, evaluate, needs_keys
from squall.core.event.rules.explanation import Explanation
from squall.core.event.rules.operators import NAMES
from squall.core.event.rules.parameters import Setting
from squall.core.event.rules.reading import make_rule
from squall.core.event.rules.records import Rule
from squall.core.expr.bounds.evaluator import NeedsProcess, NoEvaluator
from squall.core.expr.jinja import Jinja
from squall.core.schema.taint import Taint

NOW = 1_700_000_000_000_000  # 2023-11-14T22:13:20Z
SETTING = Setting(Jinja(), NOW)
KEYS = {"system": KeyNames({"limit": "5", "site": "berlin", "a.b": "dotted"}), "user": {}}


def rule(criteria: dict[str, Any] | None = None, parameters: dict[str, Any] | None = None, **changes: Any) -> Rule:
    body = {
        "name": "r",
        "pack": "peer",
        "enabled": True,
        "trigger": {"type": "core.st2.webhook", "parameters": {"url": "x"}},
        "criteria": criteria or {},
        "action": {"ref": "core.echo", "parameters": parameters or {}},
    }
    return make_rule(body | changes, "0" * 24)


def decided(criteria: dict[str, Any], payload: Any, parameters: dict[str, Any] | None = None) -> Explanation:
    return evaluate(rule(criteria, parameters), payload, KEYS, SETTING)


# -- the parts of an explanation


def test_an_explanation_has_the_value_the_pattern_and_the_verdict() -> None:
    explained = decided(
        {"trigger.n": {"type": "gt", "pattern": "{{ st2kv.system.limit | int }}"}}, {"n": 7}, {"m": "{{ trigger.n }}"}
    )
    (comparison,) = explained.comparisons
    assert (comparison.key, comparison.operator, comparison.exists) == ("trigger.n", "gt", True)
    assert (comparison.value, comparison.pattern, comparison.verdict, comparison.error) == (7, 5, True, "")
    assert (explained.matches, explained.parameters, explained.failure) == (True, {"m": "7"}, "")
    assert (explained.rule_ref, explained.rule_id) == ("peer.r", "0" * 24)


def test_all_criteria_must_match_and_each_is_explained() -> None:
    criteria = {
        "trigger.a": {"type": "eq", "pattern": 1},
        "trigger.b": {"type": "eq", "pattern": 2},
        "trigger.a#2": {"type": "lt", "pattern": 9},
    }
    explained = decided(criteria, {"a": 1, "b": 3})
    assert [each.verdict for each in explained.comparisons] == [True, False, True]
    assert (explained.matches, explained.parameters) == (False, None)
    short = evaluate(rule(criteria), {"a": 1, "b": 3}, KEYS, SETTING, all_criteria=False)
    assert [each.verdict for each in short.comparisons] == [True, False, None]


def test_one_path_may_have_several_criteria() -> None:
    criteria = {"trigger.n#low": {"type": "gt", "pattern": 1}, "trigger.n#high": {"type": "lt", "pattern": 9}}
    assert decided(criteria, {"n": 5}).matches
    assert not decided(criteria, {"n": 9}).matches


@pytest.mark.parametrize("payload", [{}, None, [], "", 0])
def test_an_empty_payload_is_evaluated(payload: Any) -> None:
    assert decided({}, payload).matches
    assert decided({"trigger.x": {"type": "nexists"}}, payload).matches
    assert not decided({"trigger.x": {"type": "exists"}}, payload).matches


def test_a_missing_key_is_named() -> None:
    explained = decided({"trigger.body.severity": {"type": "contains", "pattern": "x"}}, {"body": {}})
    assert explained.failure == (
        'criterion trigger.body.severity: "trigger.body.severity" is missing in the event: '
        "the value is null; it must be a text, a list or an object"
    )
    failed = decided({}, {"body": {}}, {"host": "{{ trigger.body.host }}"})
    assert (failed.matches, failed.parameters) == (True, None)
    assert failed.failure == "parameter \"host\": cannot be rendered: 'dict object' has no attribute 'host'"


@pytest.mark.parametrize(
    ("criteria", "matches"),
    [
        ({"system.site": {"type": "eq", "pattern": "berlin"}}, True),
        ({"st2kv.system.a.b": {"type": "eq", "pattern": "dotted"}}, True),
        ({"system.nosuch": {"type": "nexists"}}, True),
        ({"trigger.site": {"type": "eq", "pattern": "{{ st2kv.system.site }}"}}, True),
        ({"trigger.site": {"type": "eq", "pattern": "{{ system.site }}"}}, True),
        ({"trigger.site": {"type": "eq", "pattern": "{{ trigger.other }}"}}, False),
        ({"trigger.n": {"type": "eq", "pattern": "{{ trigger.m }}"}}, True),
        ({"trigger.n": {"type": "eq", "pattern": "{{ trigger.m }}{{ '' }}"}}, False),
        ({"trigger.n": {"type": "in", "pattern": "{{ trigger.list }}"}}, True),
        ({"trigger.none": {"type": "eq", "pattern": "{{ trigger.none }}"}}, False),
        ({"trigger.n": {"type": "gt", "pattern": "{{ st2kv.system.limit }}"}}, False),
        ({"trigger.braces": {"type": "regex", "pattern": "^a{2}$"}}, True),
    ],
)
def test_patterns_and_paths_may_read_the_event_and_the_datastore(criteria: dict[str, Any], matches: bool) -> None:
    payload = {"site": "berlin", "other": "paris", "n": 7, "m": 7, "list": [7], "none": None, "braces": "aa"}
    assert decided(criteria, payload).matches is matches


def test_a_rule_needs_keys_only_if_it_mentions_them() -> None:
    assert not needs_keys(rule({"trigger.x": {"type": "eq", "pattern": 1}}, {"m": "{{ trigger.x }}"}))
    assert needs_keys(rule({"system.x": {"type": "exists"}}))
    assert needs_keys(rule({"trigger.x": {"type": "eq", "pattern": "{{ st2kv.system.x }}"}}))
    assert needs_keys(rule({}, {"m": ["{{ system.x }}"]}))


def test_the_names_of_the_caller_never_hide_the_event() -> None:
    setting = Setting(Jinja(), NOW, names={"trigger": {"n": 1}, "action_context": {"user": "stanley"}})
    explained = evaluate(rule({}, {"m": "{{ trigger.n }} {{ action_context.user }}"}), {"n": 2}, NO_KEYS, setting)
    assert explained.parameters == {"m": "2 stanley"}


def test_a_pattern_from_a_secret_is_marked() -> None:
    taint = Taint()

    def decrypt(ciphertext: Any) -> str:
        taint.open("hunter2")
        return "hunter2"

    criteria = {"trigger.x": {"type": "eq", "pattern": "{{ st2kv.system.limit | decrypt_kv }}"}}
    opening = rule(criteria, {"m": "{{ trigger.x }}"})
    explained = evaluate(opening, {"x": "hunter2"}, KEYS, Setting(Jinja(decrypt), NOW, taint=taint))
    assert explained.comparisons[0].is_secret
    assert (explained.parameters, explained.secrets) == ({"m": "hunter2"}, {})


# -- search

ITEMS = [{"k": "a", "n": 1}, {"k": "b", "n": 2}, {"k": "a", "n": 3}]
IS_A = {"item.k": {"type": "eq", "pattern": "a"}}
OVER_2 = {"item.n": {"type": "gt", "pattern": 2}}
OVER_0 = {"item.n#2": {"type": "gt", "pattern": 0}}


@pytest.mark.parametrize(
    ("condition", "pattern", "value", "verdict"),
    [
        ("any", IS_A | OVER_2, ITEMS, True),
        ("any", IS_A | OVER_2, ITEMS[:2], False),
        ("all", OVER_0, ITEMS, True),
        ("all", OVER_0 | IS_A, ITEMS, False),
        ("any2any", OVER_2 | IS_A, ITEMS[:1], True),
        ("any2any", OVER_2, ITEMS[:2], False),
        ("all2any", IS_A | {"item.n": {"type": "eq", "pattern": 2}}, ITEMS, True),
        ("all2any", IS_A | OVER_2, ITEMS, False),
        ("any", IS_A, ITEMS[0], True),
        ("any", IS_A, [], False),
        ("all", IS_A, [], True),
        ("any", {"item": {"type": "eq", "pattern": 2}}, [1, 2], True),
        ("any", {"item.k": {"type": "eq", "pattern": "{{ trigger.wanted }}"}}, ITEMS, True),
        ("any", {"item.n": {"type": "eq", "pattern": "{{ item.n }}"}}, ITEMS, True),
        ("any", {"item.n": {"type": "contains", "pattern": "x"}}, [{"n": 1}, {"n": "x"}], True),
    ],
)
def test_search_has_four_conditions(condition: str, pattern: dict[str, Any], value: Any, verdict: bool) -> None:
    criteria = {"trigger.items": {"type": "search", "condition": condition, "pattern": pattern}}
    explained = decided(criteria, {"items": value, "wanted": "b"})
    assert (explained.matches, explained.failure) == (verdict, "")


def test_a_search_that_fails_names_the_element() -> None:
    criteria = {
        "trigger.items": {"type": "search", "condition": "all", "pattern": {"item.n": {"type": "lt", "pattern": 5}}}
    }
    explained = decided(criteria, {"items": [{"n": 1}, {"n": "x"}]})
    assert explained.failure == (
        "criterion trigger.items: element 1, item.n: the value is a text and the pattern a number; they have no order"
    )
    assert "the value is null" in decided(criteria, {}).failure
    assert "the value is a text" in decided(criteria, {"items": "x"}).failure


# -- what public packs expect


def test_equality_is_typed() -> None:
    merged = {"trigger.body.merged": {"type": "eq", "pattern": "True"}}
    assert not decided(merged, {"body": {"merged": True}}).matches
    explained = decided(merged, {"body": {"merged": "True"}}, {"cmd": "echo {{ trigger }}"})
    assert explained.parameters == {"cmd": "echo {'body': {'merged': 'True'}}"}


@pytest.mark.parametrize(("occurrences", "matches", "fails"), [(2, True, False), (1, False, False), ("2", False, True)])
def test_a_comparison_that_is_impossible_is_a_failed_enforcement(occurrences: Any, matches: bool, fails: bool) -> None:
    criteria = {
        "trigger.check.output": {"type": "matchregex", "pattern": ".*CRITICAL.*"},
        "trigger.occurrences": {"type": "gt", "pattern": 1},
    }
    payload = {"check": {"output": "x\nCRITICAL - load"}, "occurrences": occurrences, "client": "10.0.0.5"}
    explained = decided(criteria, payload, {"hostname": "{{trigger.client}}"})
    assert (explained.matches, bool(explained.failure)) == (matches, fails)
    assert explained.parameters == ({"hostname": "10.0.0.5"} if matches else None)


def test_keys_with_underscores_are_plain() -> None:
    criteria = {"trigger.body._id": {"type": "exists"}, "trigger.body._parent": {"type": "eq", "pattern": "c1"}}
    assert decided(criteria, {"body": {"_id": "a1", "_parent": "c1"}}).matches


def test_criteria_of_elements_of_a_list() -> None:
    criteria = {
        "trigger.message.attributes[0].name": {"type": "eq", "pattern": "cpu"},
        "trigger.message.command": {"type": "iequals", "pattern": "monitor"},
    }
    message = {"command": "MONITOR", "attributes": [{"name": "cpu", "value": 97}]}
    parameters = {"cmd": "echo cpu: {{ trigger.message.attributes[0].value }}"}
    assert decided(criteria, {"message": message}, parameters).parameters == {"cmd": "echo cpu: 97"}


# -- several rules


def backstop(name: str, **changes: Any) -> Rule:
    return rule(name=name, type={"ref": "backstop"}, **changes)


def refs(rules: list[Rule], payload: Any) -> list[tuple[str, bool]]:
    return [(each.rule_ref, each.matches) for each in decide(rules, payload, NO_KEYS, SETTING)]


def test_a_backstop_rule_is_for_events_that_no_standard_rule_matches() -> None:
    standard = rule({"trigger.n": {"type": "eq", "pattern": 1}}, name="s")
    rules = [backstop("b"), standard]
    assert refs(rules, {"n": 1}) == [("peer.s", True)]
    assert refs(rules, {"n": 2}) == [("peer.s", False), ("peer.b", True)]


def test_a_standard_rule_whose_parameters_fail_still_keeps_the_backstop_away() -> None:
    failing = rule(parameters={"m": "{{ trigger.nosuch }}"}, name="s")
    assert refs([backstop("b"), failing], {}) == [("peer.s", True)]


def test_backstop_rules_do_not_compete() -> None:
    assert refs([backstop("a"), backstop("b")], {}) == [("peer.a", True), ("peer.b", True)]


def test_a_disabled_rule_is_left_out() -> None:
    disabled = rule(name="off", enabled=False)
    assert refs([disabled, backstop("b")], {}) == [("peer.b", True)]
    assert evaluate(disabled, {}, NO_KEYS, SETTING).matches


def test_one_rule_that_fails_leaves_the_others() -> None:
    rules = [rule({"trigger.severity": {"type": "contains", "pattern": "x"}}, name="bad"), rule(name="good")]
    explanations = list(decide(rules, {"body": {}}, NO_KEYS, SETTING))
    assert [(bool(each.failure), each.matches) for each in explanations] == [(True, False), (False, True)]


# -- what is no fault of the rule


def test_a_template_that_needs_a_process_is_for_the_caller() -> None:
    slow = rule({}, {"m": "{% for i in range(9) %}{{ i }}{% endfor %}"})
    with pytest.raises(NeedsProcess):
        evaluate(slow, {}, NO_KEYS, Setting(Jinja(None, NoEvaluator()), NOW))
    assert evaluate(slow, {}, NO_KEYS, SETTING).parameters == {"m": "012345678"}


def test_a_missing_process_is_no_fault_of_the_rule() -> None:
    class Down(Jinja):
        def value(self, text: str, names: Any) -> Any:
            raise UnavailableError("no process")

    with pytest.raises(UnavailableError):
        evaluate(rule({"trigger.x": {"type": "eq", "pattern": "{{ 1 }}"}}), {}, NO_KEYS, Setting(Down(), NOW))


# -- stored rules that nothing checked, and hostile inputs


@pytest.mark.parametrize(
    "criterion",
    [
        None, 5, [], {}, {"type": "nosuch", "pattern": 1}, {"type": ["eq"]}, {"type": "search"},
        {"type": "search", "condition": "any", "pattern": "x"}, {"type": "search", "condition": 5, "pattern": {}},
        {"type": "regex", "pattern": "("}, {"type": "eq", "pattern": "{{ nosuch }}"},
    ],
)  # fmt: skip
def test_a_criterion_that_is_wrong_is_a_reason_for_no_match(criterion: Any) -> None:
    import msgspec

    stored = msgspec.structs.replace(rule(), criteria={"trigger.x": criterion})
    explained = evaluate(stored, {"x": "a" if criterion != {"type": "search"} else []}, NO_KEYS, SETTING)
    assert not explained.matches
    assert explained.failure


LOOPS = "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}"


def nested(levels: int, inner: Any) -> Any:
    for _ in range(levels):
        inner = {"x": inner}
    return inner


@pytest.mark.parametrize(
    ("criteria", "payload", "reason"),
    [
        ({"trigger": {"type": "eq", "pattern": nested(150, 1)}}, lambda: nested(100_000, 1), ""),
        ({"trigger..y": {"type": "exists"}}, lambda: nested(100_000, 1), ""),
        ({"trigger": {"type": "contains", "pattern": "y"}}, lambda: nested(100_000, 1), ""),
        ({"trigger.t": {"type": "regex", "pattern": "^(a+)+$"}}, lambda: {"t": "a" * 200_000 + "!"}, ""),
        ({"trigger.t": {"type": "matchwildcard", "pattern": "*a" * 100 + "b"}}, lambda: {"t": "a" * 200_000}, ""),
        ({"trigger.l": {"type": "contains", "pattern": 1}}, lambda: {"l": [0] * 2_000_000}, "more than 1000000 values"),
        (
            {"trigger..a..b..c": {"type": "exists"}},
            lambda: {"l": [[[[{}] * 50] * 50] * 50] * 50},
            "more than 1000000 values",
        ),
        (
            {"trigger.l": {"type": "search", "condition": "any2any", "pattern": {
                f"item.x#{at}": {"type": "eq", "pattern": 1} for at in range(400)}}},
            lambda: {"l": [{"x": 0}] * 300_000},
            "more than 1000000 values",
        ),
        (
            {f"trigger.t#{at}": {"type": "contains", "pattern": "y"} for at in range(100)},
            lambda: {"t": "x" * (10 << 20)},
            "",
        ),
        ({"trigger.x": {"type": "eq", "pattern": "{{ 'x' * 999999999999 }}"}}, lambda: {"x": 1}, "cannot be rendered"),
        (
            {"trigger.x": {"type": "eq", "pattern": LOOPS}},
            lambda: {"x": 1},
            "cannot be rendered",
        ),
    ],
)  # fmt: skip
def test_a_hostile_rule_or_event_ends_without_a_match(
    criteria: dict[str, Any], payload: Callable[[], Any], reason: str
) -> None:
    explained = decided(criteria, payload())
    assert not explained.matches
    assert reason in explained.failure


# -- a second implementation

values = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2), st.sampled_from(["", "a", "A", "ab", "b\na", "a*", "."]),
    st.lists(st.integers(0, 2) | st.sampled_from(["a", "ab"]), max_size=3),
    st.dictionaries(st.sampled_from(["a", "b"]), st.integers(0, 2), max_size=2),
)  # fmt: skip
OTHERS = [name for name in NAMES if name != "search" and not name.startswith(("td_", "timediff"))]
PLAIN = ["regex", "iregex", "matchregex"]


def as_criterion(name: str, pattern: Any) -> dict[str, Any]:
    if name in PLAIN and pattern == "a*":
        pattern = "a"
    needs_value = pattern is None and name not in ("exists", "nexists", "neq", "nequals")
    return {"type": name, "pattern": "" if needs_value else pattern}


criteria_of = st.builds(as_criterion, st.sampled_from(OTHERS), values)
searches = st.builds(
    lambda condition, pattern: {"type": "search", "condition": condition, "pattern": pattern},
    st.sampled_from(["any", "all", "any2any", "all2any"]),
    st.dictionaries(st.sampled_from(["item", "item.a", "item.b", "item.a#2"]), criteria_of, max_size=3),
)
rules = st.dictionaries(
    st.sampled_from(["trigger.x", "trigger.y", "trigger.x#2", "trigger.x.a", "trigger.nosuch"]),
    criteria_of | searches,
    max_size=4,
)


@settings(deadline=None, max_examples=600)
@given(rules, st.fixed_dictionaries({"x": values, "y": st.lists(values, max_size=3)}))
def test_criteria_agree_with_a_second_implementation(criteria: dict[str, Any], payload: Any) -> None:
    matches, fails = naive_rules.matches(criteria, payload)
    for all_criteria in (True, False):
        explained = evaluate(rule(criteria), payload, NO_KEYS, SETTING, all_criteria=all_criteria)
        assert explained.matches is matches
        if not any(each["type"] == "search" for each in criteria.values()):
            assert bool(explained.failure) is fails
