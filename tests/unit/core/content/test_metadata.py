"""What metadata files say, and how what is wrong is told: the key, and what would be right."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.content.metadata import (
    RESOURCES,
    pack_ref,
    python_request,
    read_action,
    read_pack,
    read_resource,
)
from squall.core.content.metadata_words import MetadataError
from squall.core.execution.policy import read_policy
from squall.testing.samples import sample_runner

RUNNERS = {"noop": sample_runner("noop")}
GOOD: dict[str, dict[str, Any]] = {
    "aliases": {"name": "a", "action_ref": "core.noop", "formats": ["do it"]},
    "rules": {"name": "r", "trigger": {"type": "core.webhook"}, "action": {"ref": "core.noop"}},
    "sensors": {"class_name": "S", "entry_point": "s.py", "poll_interval": 5, "trigger_types": [{"name": "t"}]},
    "triggers": {"name": "t", "payload_schema": {"type": "object"}},
}


@pytest.mark.parametrize(
    ("data", "folder", "ref"),
    [
        ({"ref": "a", "name": "b"}, "c", "a"),
        ({"name": "b"}, "c", "c"),
        ({"name": "b"}, "stackstorm-b", "b"),
        ({"name": "B b"}, "c", "c"),
    ],
)
def test_a_pack_is_called_what_it_says_or_its_folder_or_its_name(data: Any, folder: str, ref: str) -> None:
    assert pack_ref(data, folder) == ref
    assert read_pack(data, folder, "/p", []).ref == ref


@pytest.mark.parametrize("data", [{"ref": "../up"}, {"ref": "A"}, {"name": "Some Thing"}, [], None, {"ref": "a\n"}])
def test_a_pack_that_cannot_be_called_anything_is_told(data: Any) -> None:
    with pytest.raises(MetadataError):
        pack_ref(data, "not-a-name")


@pytest.mark.parametrize("kind", RESOURCES)
def test_every_kind_of_content_is_read_and_keys_of_other_versions_do_not_matter(kind: str) -> None:
    assert read_resource(kind, {**GOOD[kind], "pack": "mine", "from_another_time": 1}, "mine") in ("a", "r", "S", "t")


@pytest.mark.parametrize(
    ("kind", "changes", "keys", "told"),
    [
        ("aliases", {"formats": None}, (), "'formats' is a required property"),
        ("aliases", {"formats": "text"}, ("formats",), "formats: 'text' is not a list"),
        ("rules", {"trigger": {}}, ("trigger",), "trigger: 'type' is a required property"),
        ("rules", {"enabled": "yes"}, ("enabled",), "enabled: 'yes' is not true or false"),
        ("rules", {"action": "core.noop"}, ("action",), "action: 'core.noop' is not a mapping"),
        ("sensors", {"poll_interval": True}, ("poll_interval",), "poll_interval: True is not a number"),
        (
            "sensors",
            {"trigger_types": ["t"]},
            ("trigger_types",),
            "trigger_types: entry 0: expected a mapping with name",
        ),
        ("triggers", {"pack": "other"}, ("pack",), 'pack: the file is in pack "mine", but says "other"'),
    ],
)
def test_what_is_wrong_is_told_with_its_key(kind: str, changes: Any, keys: tuple[str, ...], told: str) -> None:
    with pytest.raises(MetadataError) as caught:
        read_resource(kind, {**GOOD[kind], **changes}, "mine")
    assert (caught.value.keys, str(caught.value)) == (keys, told)


def test_an_action_and_a_policy_are_of_the_pack_they_lie_in() -> None:
    action = read_action({"name": "a", "runner_type": "noop", "pack": "mine"}, "mine", "actions/a.yaml", RUNNERS)
    assert (action.ref, action.metadata_file) == ("mine.a", "actions/a.yaml")
    with pytest.raises(MetadataError, match='says "other"'):
        read_action({"name": "a", "runner_type": "noop", "pack": "other"}, "mine", "", RUNNERS)
    with pytest.raises(MetadataError, match="resource_type: 'rule' is not 'action'"):
        read_policy({"name": "p", "resource_type": "rule"}, "mine", "")
    with pytest.raises(MetadataError, match=r"parameters\.a\.type: 'strng' is none of"):
        read_action({"name": "a", "runner_type": "noop", "parameters": {"a": {"type": "strng"}}}, "mine", "", RUNNERS)


@pytest.mark.parametrize(
    ("value", "request_text"),
    [("3.9", "3.9"), (3.9, "3.9"), (3.1, "3.10"), (3, "3"), ("3.11.7", "3.11.7"), (">= 3.9, <3.12", ">=3.9,<3.12")],
)
def test_a_pack_names_its_python(value: Any, request_text: str) -> None:
    assert python_request(value) == request_text
    read_pack({"name": "p", "python": value}, "p", "/p", [])


@pytest.mark.parametrize(
    "value", ["2", 2.7, "3.7", "/usr/bin/python3", "python3.9", True, [3.9], "3.9,3.10", "3.9 -x", 3.2]
)
def test_what_names_no_python_is_refused(value: Any) -> None:
    with pytest.raises(MetadataError, match=r"python: .* names no Python from 3\.8 on"):
        read_pack({"name": "p", "python": value}, "p", "/p", [])
