"""Misspelt words and values of the wrong type in metadata: the key, and what is right."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.content.metadata import read_action, read_resource
from squall.core.content.metadata_words import MetadataError, doubts, schema_doubts
from squall.testing.samples import sample_runner

RUNNERS = {"noop": sample_runner("noop")}


def refused(**changes: Any) -> tuple[tuple[str, ...], str]:
    with pytest.raises(MetadataError) as caught:
        read_action({"name": "a", "runner_type": "noop", **changes}, "mine", "actions/a.yaml", RUNNERS)
    return caught.value.keys, str(caught.value)


@pytest.mark.parametrize(
    ("changes", "keys", "right"),
    [
        ({"parametrs": {}}, ("parametrs",), 'did you mean "parameters"?'),
        ({"entrypoint": "x.py"}, ("entrypoint",), 'did you mean "entry_point"?'),
        ({"entry-point": "x.py"}, ("entry-point",), 'did you mean "entry_point"?'),
        ({"Enabled": True}, ("Enabled",), 'did you mean "enabled"?'),
        ({True: 1}, ("True",), "this word is not known here"),
        ({"parameters": {"p": {"requried": True}}}, ("parameters", "p", "requried"), 'did you mean "required"?'),
        ({"parameters": {"p": {"secert": True}}}, ("parameters", "p", "secert"), 'did you mean "secret"?'),
        ({"parameters": {"p": {"xyz": True}}}, ("parameters", "p", "xyz"), "this word is not known here"),
    ],
)
def test_a_misspelt_word_is_refused_with_the_word_that_is_meant(changes: Any, keys: Any, right: str) -> None:
    with pytest.raises(MetadataError) as caught:
        read_action({"name": "a", "runner_type": "noop", **changes}, "mine", "actions/a.yaml", RUNNERS)
    assert caught.value.keys == keys
    assert right in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "keys", "message"),
    [
        ({"name": 123}, ("name",), "name: 123 is not a text; quote it"),
        ({"name": True}, ("name",), "name: True is not a text; quote it"),
        ({"enabled": "yes"}, ("enabled",), "enabled: 'yes' is not true or false"),
        ({"enabled": 1}, ("enabled",), "enabled: 1 is not true or false"),
        ({"description": ["x"]}, ("description",), "description: ['x'] is not a text"),
        ({"tags": {}}, ("tags",), "tags: {} is not a list"),
        ({"parameters": ["a"]}, ("parameters",), "parameters: ['a'] is not a mapping"),
        ({"parameters": {1: {}}}, ("parameters", "1"), "parameters.1: the name of a parameter is read as 1; quote it"),
        (
            {"parameters": {"p": {"required": "true"}}},
            ("parameters", "p", "required"),
            "parameters.p.required: 'true' is not true or false",
        ),
        ({"parameters": {"p": {"enum": "a"}}}, ("parameters", "p", "enum"), "parameters.p.enum: 'a' is not a list"),
        (
            {"parameters": {"p": {"items": "string"}}},
            ("parameters", "p", "items"),
            "parameters.p.items: 'string' is not a mapping or a list",
        ),
        (
            {"parameters": {"p": {"default": {True: 1}}}},
            ("parameters", "p", "default"),
            "parameters.p.default: a key is read as True, which is not a text; quote it (yes, on or true)",
        ),
        (
            {"parameters": {"p": {"default": {"a": [{None: 1}]}}}},
            ("parameters", "p", "default", "a"),
            "parameters.p.default.a: a key is read as None, which is not a text; quote it (null)",
        ),
        (
            {"parameters": {"p": {"default": float("inf")}}},
            ("parameters", "p", "default"),
            "parameters.p.default: JSON has no numbers that are infinite, too large (1e999) or no number (NaN)",
        ),
    ],
)
def test_a_value_of_the_wrong_type_is_told_with_its_key(changes: Any, keys: tuple[str, ...], message: str) -> None:
    assert refused(**changes) == (keys, message)


def test_what_stackstorm_takes_is_taken() -> None:
    schema = {"type": "object", "properties": {"a": {"odd": 1}}, "default": {80: "x"}, "description": None}
    action = read_action(
        {"name": "a", "runner_type": "noop", "pack": "mine", "tags": [{"name": "x"}], "parameters": {"p": schema}},
        "mine", "", RUNNERS,
    )  # fmt: skip
    assert action.parameters["p"]["properties"] == {"a": {"odd": 1}}


def told(kind: str, data: Any) -> list[str]:
    return [str(error) for error in doubts(kind, data)]


def test_authors_are_told_of_words_that_nothing_reads() -> None:
    assert told("pack", {"name": "x", "versoin": "1", "homepage": "y"}) == [
        'versoin: this word is not known here; did you mean "version"?'
    ]
    assert told("rules", {"name": "r", "critera": {}, "trigger": {"typ": "x"}, "action": {"params": {}}}) == [
        'critera: this word is not known here; did you mean "criteria"?',
        'trigger.typ: this word is not known here; did you mean "type"?',
        'action.params: this word is not known here; did you mean "parameters"?',
    ]
    assert told("sensors", {"class_name": "S", "poll_intervall": 5}) == [
        'poll_intervall: this word is not known here; did you mean "poll_interval"?'
    ]
    inner = {"parameters": {"p": {"properties": {"a": {"requried": True}}, "items": [{"secert": True}]}}}
    assert told("actions", inner) == [
        'parameters.p.properties.a.requried: this word is not known here; did you mean "required"?',
        'parameters.p.items.secert: this word is not known here; did you mean "secret"?',
    ]
    assert list(schema_doubts({"anyOf": [{"const": 1}], "$defs": {"a": {"examples": []}}})) == []


@pytest.mark.parametrize(
    ("kind", "data", "key", "meant"),
    [
        ("aliases", {"reslt": {}}, "reslt", "result"),
        ("aliases", {"ack": {"apend_url": True}}, "ack.apend_url", "append_url"),
        ("aliases", {"result": {"fromat": "x"}}, "result.fromat", "format"),
        ("aliases", {"formats": ["x", {"dsplay": "x"}]}, "formats.dsplay", "display"),
        ("rules", {"type": {"reff": "x"}}, "type.reff", "ref"),
        ("rules", {"tags": [{"name": "x", "vaule": "y"}]}, "tags.vaule", "value"),
        ("sensors", {"trigger_types": [{"name": "t"}, {"nam": "u"}]}, "trigger_types.nam", "name"),
        ("triggers", {"zzz": 1}, "zzz", None),
        ("triggers", {"tags": [{"key": "x"}]}, "tags.key", None),
        ("actions", {"tags": [{"nmae": "x"}]}, "tags.nmae", "name"),
    ],
)
def test_a_word_that_nothing_reads_is_told_at_any_depth_of_any_kind_of_file(
    kind: str, data: dict[str, Any], key: str, meant: str | None
) -> None:
    advice = f'; did you mean "{meant}"?' if meant else ""
    assert told(kind, data) == [f"{key}: this word is not known here{advice}"]


@pytest.mark.parametrize("kind", ["aliases", "rules", "sensors", "triggers", "actions"])
@pytest.mark.parametrize("value", [None, 5, "x", [], [None, 5], {}])
def test_values_of_another_shape_are_no_matter_of_words(kind: str, value: Any) -> None:
    keys = ("ack", "result", "formats") if kind == "aliases" else ("trigger_types",) if kind == "sensors" else ("tags",)
    assert told(kind, dict.fromkeys(keys, value)) == []


def test_criteria_inside_of_a_trigger_are_told() -> None:
    rule = {"name": "r", "trigger": {"type": "a.b", "criteria": {}}, "action": {"ref": "a.b"}}
    [error] = doubts("rules", rule)
    assert error.keys == ("trigger", "criteria")


@pytest.mark.parametrize(
    "entry",
    [
        "do {{a}} and {{ a }}",
        {"representation": ["x {{b}}", "do {{a=1}} {{a}}"]},
        {"representation": "{{a}} {{b}} {{a}}"},
    ],
)
def test_a_parameter_twice_in_a_format_of_an_alias_is_told(entry: Any) -> None:
    [message] = told("aliases", {"name": "x", "formats": ["fine {{a}} {{b}}", entry]})
    assert message.startswith('formats: the parameter "a" is more than once in the format')


def test_a_missing_word_names_the_misspelt_one() -> None:
    with pytest.raises(MetadataError, match=r"'entry_point' is a required property \(there is \"entrypoint\"\)"):
        read_resource("sensors", {"class_name": "S", "entrypoint": "s.py"}, "mine")
