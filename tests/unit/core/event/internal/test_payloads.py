"""The payloads of events inside of Squall."""

from __future__ import annotations

from squall.core.access.secret import Sealed
from squall.core.content.keyvalue import Key
from squall.core.event.internal.payloads import (
    KEY_CREATE,
    KEY_DELETE,
    KEY_UPDATE,
    KEY_VALUE_CHANGE,
    MOST_RESULT,
    action_payload,
    file_payload,
    inquiry_payload,
    key_payloads,
    reduced,
)
from squall.testing.samples import sample_execution


def key(value: str) -> Key:
    return Key(id="a" * 24, scope="st2kv.system", user="", name="k", value=value)


def test_an_ended_execution_has_the_payload_that_was_recorded() -> None:
    execution = sample_execution(
        status="succeeded", start=1_795_462_659_130_637, parameters={"message": "hi"}, result={"stdout": "hi"}
    )
    assert action_payload(execution) == {
        "execution_id": execution.id,
        "status": "succeeded",
        "start_timestamp": "2026-11-23 19:37:39.130637+00:00",
        "action_name": execution.action,
        "action_ref": execution.action,
        "runner_ref": execution.runner,
        "parameters": {"message": "hi"},
        "result": {"stdout": "hi"},
    }


def test_secrets_are_masked_in_parameters_and_results() -> None:
    execution = sample_execution(parameters={"p": Sealed("x")}, result={"deep": [Sealed("y")]})
    payload = action_payload(execution)
    assert payload["parameters"] == {"p": "********"}
    assert payload["result"] == {"deep": ["********"]}


def test_a_result_that_is_too_large_for_an_event_is_named_instead() -> None:
    execution = sample_execution(result="x", result_size=MOST_RESULT + 1)
    assert execution.id in action_payload(execution)["result"]["omitted"]


def test_an_inquiry_without_a_route_has_an_empty_one() -> None:
    assert inquiry_payload(sample_execution(result=None))["route"] == ""
    assert inquiry_payload(sample_execution(result={"route": "dev"}))["route"] == "dev"


def test_keys_are_created_updated_changed_and_deleted() -> None:
    assert [name for name, _ in key_payloads(None, key("1"))] == [KEY_CREATE]
    assert [name for name, _ in key_payloads(key("1"), key("1"))] == [KEY_UPDATE]
    assert [name for name, _ in key_payloads(key("1"), key("2"))] == [KEY_UPDATE, KEY_VALUE_CHANGE]
    assert [name for name, _ in key_payloads(key("1"), None)] == [KEY_DELETE]
    assert key_payloads(None, None) == []
    _, change = key_payloads(key("1"), key("2"))[1]
    assert (change["old_object"]["value"], change["new_object"]["value"]) == ("1", "2")


def test_a_secret_value_stays_ciphertext() -> None:
    secret = Key(id="a" * 24, scope="st2kv.system", user="", name="k", value="AB12", secret=True)
    ((_, payload),) = key_payloads(None, secret)
    assert payload["object"]["value"] == "AB12"
    assert payload["object"]["encrypted"] is True


def test_the_value_of_a_users_own_key_is_masked() -> None:
    own = Key(id="a" * 24, scope="st2kv.user", user="ada", name="k", value="mine")
    for _, payload in (*key_payloads(None, own), *key_payloads(own, key("2")), *key_payloads(own, None)):
        assert "mine" not in str(payload)


def test_a_payload_that_is_too_large_keeps_its_names_and_says_why() -> None:
    assert reduced({"ref": "a.b", "result": [1], "parameters": {"p": 1}}, "too large") == {
        "ref": "a.b",
        "result": {"omitted": "too large"},
        "parameters": {"omitted": "too large"},
    }
    assert reduced({"object": {"name": "k", "value": "v"}}, "") == {"object": {"name": "k", "value": ""}}
    assert reduced({"message": "m", "data": {"result": "r"}}, "too large") == {"message": "too large", "data": {}}


def test_a_file_names_its_action_path_and_host() -> None:
    assert file_payload("p.a", "/x/a.py", "h") == {
        "ref": "p.a",
        "file_path": "/x/a.py",
        "host_info": {"hostname": "h"},
    }
