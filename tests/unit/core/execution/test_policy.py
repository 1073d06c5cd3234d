"""Policies: what describes one, which line an execution belongs to, and what is tried again."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.errors import InvalidError
from squall.core.execution.policy import POLICY_TYPES, Policy, delays, document, make_policy, retry_after, slot_key

GIVEN: dict[str, Any] = {
    "name": "limit",
    "pack": "core",
    "resource_ref": "core.local",
    "policy_type": "action.concurrency",
    "parameters": {"threshold": 2},
}


def policy(**changes: Any) -> Policy:
    return make_policy(GIVEN | changes, "0" * 24)


def retry(**parameters: Any) -> Policy:
    return policy(policy_type="action.retry", parameters={"retry_on": "failure"} | parameters)


def test_a_policy_is_shown_as_it_was_given() -> None:
    assert document(policy()) == {
        "uid": "policy:core:limit",
        "metadata_file": "",
        "ref": "core.limit",
        "enabled": True,
        "id": "0" * 24,
        **GIVEN,
    }


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"resource_ref": None}, "'resource_ref' is a required property"),
        ({"policy_type": "nosuch"}, "Invalid reference: nosuch"),
        ({"policy_type": "action.nosuch"}, 'policy_type: "action.nosuch" is none of action.concurrency'),
        ({"policy_type": "action.retry", "parameters": {}}, "'retry_on' is a required property"),
        (
            {"policy_type": "action.retry", "parameters": {"retry_on": "bogus"}},
            "'bogus' is not one of ['failure', 'timeout']",
        ),
        ({"policy_type": "action.retry", "parameters": {"retry_on": "failure", "max_retry_count": 6}}, "maximum of 5"),
        ({"parameters": {"threshold": "many"}}, "'many' is not of type 'integer'"),
        ({"parameters": {"threshold": True}}, "True is not of type 'integer'"),
        ({"parameters": {"threshold": 0}}, "0 is less than the minimum of 1 (threshold)"),
        ({"parameters": {"threshold": 1, "x": 1}}, "Additional properties are not allowed ('x' was unexpected)"),
        ({"parameters": []}, "'threshold' is a required property"),
        ({"parameters": [1]}, "[1] is not of type 'object' (parameters)"),
        ({"enabled": "yes"}, "'yes' is not of type 'boolean' (enabled)"),
        ({"name": 7}, "7 is not of type 'string' (name)"),
        ({"bogus": 1}, "Additional properties are not allowed ('bogus' was unexpected)"),
    ],
)
def test_a_wrong_policy_is_told_what_is_wrong(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidError) as caught:
        policy(**changes)
    assert told in str(caught.value)


def test_the_types_are_the_recorded_ones() -> None:
    assert list(POLICY_TYPES) == ["action.concurrency", "action.concurrency.attr", "action.retry"]
    assert POLICY_TYPES["action.concurrency"].parameters["action"]["enum"] == ["delay", "cancel"]
    assert len({kind.id for kind in POLICY_TYPES.values()}) == 3


def test_a_policy_of_concurrency_lets_wait_unless_it_says_otherwise() -> None:
    assert delays(policy())
    assert not delays(policy(parameters={"threshold": 1, "action": "cancel"}))


def test_executions_of_equal_attributes_share_a_line() -> None:
    by_host = policy(policy_type="action.concurrency.attr", parameters={"threshold": 1, "attributes": ["host", "x"]})
    assert slot_key(by_host, {"host": "a", "cmd": "1"}) == slot_key(by_host, {"cmd": "2", "host": "a", "x": None})
    assert slot_key(by_host, {"host": "a"}) != slot_key(by_host, {"host": "b"})
    assert slot_key(by_host, {"host": 1}) != slot_key(by_host, {"host": "1"})
    assert "secret" not in slot_key(by_host, {"host": "secret"})
    assert slot_key(policy(), {"host": "a"}) == ""


@pytest.mark.parametrize(
    ("found", "status", "retried", "delay"),
    [
        (retry(), "failed", 0, 0),
        (retry(), "abandoned", 1, 0),
        (retry(), "failed", 2, None),
        (retry(max_retry_count=3, delay=1.5), "failed", 2, 1500),
        (retry(), "timeout", 0, None),
        (retry(retry_on="timeout"), "timeout", 0, 0),
        (retry(), "canceled", 0, None),
        (policy(), "failed", 0, None),
    ],
)
def test_what_is_tried_again(found: Policy, status: str, retried: int, delay: int | None) -> None:
    assert retry_after(found, status, retried) == delay
