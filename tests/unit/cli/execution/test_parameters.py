from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squall.cli.execution.parameters import cast, merge_schemas, read_parameters
from squall.core.errors import InvalidError

SCHEMAS: dict[str, dict[str, Any]] = {
    "cmd": {"type": "string"},
    "count": {"type": "integer"},
    "hosts": {"type": "array"},
    "env": {"type": "object"},
    "text": {"type": "string"},
}


@pytest.mark.parametrize(
    ("schema", "text", "expected"),
    [
        ({"type": "string"}, "5", "5"),
        ({}, "true", "true"),
        ({"type": "integer"}, "-5", -5),
        ({"type": "number"}, "5", 5),
        ({"type": "number"}, "2.5e3", 2500.0),
        ({"type": "boolean"}, "True", True),
        ({"type": "boolean"}, "0", False),
        ({"type": "boolean"}, "no", False),
        ({"type": "array"}, '["a", 1]', ["a", 1]),
        ({"type": "array"}, "a, b", ["a", "b"]),
        ({"type": "array"}, "a", ["a"]),
        ({"type": "array"}, "", []),
        ({"type": "array"}, "5", [5]),
        ({"type": "array"}, "1,2", ["1", "2"]),
        ({"type": "array", "items": {"type": "integer"}}, "1,2", [1, 2]),
        ({"type": "array", "items": {"type": "string"}}, "5", ["5"]),
        ({"type": "object"}, '{"a": {"b": 1}}', {"a": {"b": 1}}),
        ({"type": "object"}, "a=1,b=x=y", {"a": "1", "b": "x=y"}),
        ({"type": "object"}, "", {}),
        ({"type": "null"}, "null", None),
        ({"type": ["integer", "string"]}, "5", 5),
        ({"type": ["integer", "string"]}, "five", "five"),
        ({"type": "integer"}, "{{ st2kv.system.count }}", "{{ st2kv.system.count }}"),
        ({"type": "object"}, '{"a": "{{ b }}"}', {"a": "{{ b }}"}),
        ({"type": "what"}, "x", "x"),
    ],
)
def test_a_value_is_cast_by_the_type_of_its_schema(schema: dict[str, Any], text: str, expected: Any) -> None:
    value = cast("p", text, schema)
    assert value == expected and type(value) is type(expected)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("integer", "five"),
        ("integer", "1.5"),
        ("integer", "1_000"),
        ("integer", ""),
        ("number", "nan"),
        ("number", "1_0.5"),
        ("boolean", "maybe"),
        ("array", "[1,"),
        ("object", "{a"),
        ("object", "a"),
        ("object", "[1]"),
    ],
)
def test_a_value_of_another_type_is_refused_with_the_parameters_name(kind: str, text: str) -> None:
    with pytest.raises(InvalidError, match=rf"parameter limit: .* is not of type {kind}"):
        cast("limit", text, {"type": kind})


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_any_json_object_comes_through(value: Any) -> None:
    assert cast("p", json.dumps({"k": value}), {"type": "object"}) == {"k": value}


def test_a_long_value_is_shortened_in_the_error() -> None:
    with pytest.raises(InvalidError) as caught:
        cast("count", "x" * 5000, {"type": "integer"})
    assert len(str(caught.value)) < 150


def test_a_value_that_is_no_text_is_refused() -> None:
    with pytest.raises(InvalidError, match="parameter text: the value is not valid UTF-8"):
        read_parameters([os.fsdecode(b"text=\xff")], SCHEMAS)


def test_assignments_become_parameters() -> None:
    words = ["count=3", "text=a=b", "env=K=V", "other=7", "text=last"]
    assert read_parameters(words, SCHEMAS) == {"count": 3, "text": "last", "env": {"K": "V"}, "other": "7"}


def test_an_array_named_twice_grows() -> None:
    assert read_parameters(["hosts=a", "hosts=b,c"], SCHEMAS) == {"hosts": ["a", "b", "c"]}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ls", "-l", "x=1"], {"cmd": "ls -l x=1"}),
        (["count=2", "echo", "a  b"], {"count": 2, "cmd": "echo a  b"}),
        (["./run=1"], {"cmd": "./run=1"}),
        (["echo {{ x }}"], {"cmd": "echo {{ x }}"}),
        (["cmd=line 1\nline 2"], {"cmd": "line 1\nline 2"}),
    ],
)
def test_words_that_assign_nothing_become_the_command(words: list[str], expected: dict[str, Any]) -> None:
    assert read_parameters(words, SCHEMAS) == expected


def test_words_for_an_action_without_a_command_are_refused() -> None:
    with pytest.raises(InvalidError, match="'ls': this action has no parameter cmd"):
        read_parameters(["ls"], {"text": {"type": "string"}})


def test_words_for_an_action_whose_command_is_immutable_are_refused() -> None:
    with pytest.raises(InvalidError, match="'hello': this action sets cmd itself; write parameters as name=value"):
        read_parameters(["hello"], {"cmd": {"type": "string", "immutable": True}})


@pytest.mark.parametrize("words", [[""], [" "], ["count=2", ""], ["", "ls"]])
def test_an_empty_word_among_the_parameters_is_refused(words: list[str]) -> None:
    with pytest.raises(InvalidError, match="an empty text stands among the parameters"):
        read_parameters(words, SCHEMAS)


def test_numbers_in_digits_of_another_script_are_refused() -> None:
    for kind in ("integer", "number"):
        with pytest.raises(InvalidError, match="is not of type"):
            cast("count", "٣", {"type": kind})


def test_a_file_gives_a_value_that_is_cast_too(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("first\nsecond\n")
    (tmp_path / "b").write_text('{"k": 1}')
    words = [f"@text={tmp_path}/a", f"@env={tmp_path}/b"]
    assert read_parameters(words, SCHEMAS) == {"text": "first\nsecond\n", "env": {"k": 1}}


def test_a_file_that_cannot_be_read_is_told_with_the_parameters_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match=r"parameter text: cannot read the file .*/nope: No such file"):
        read_parameters([f"@text={tmp_path}/nope"], SCHEMAS)
    (tmp_path / "binary").write_bytes(b"\xff")
    with pytest.raises(InvalidError, match=r"parameter text: the file .* is not UTF-8"):
        read_parameters([f"@text={tmp_path}/binary"], SCHEMAS)


def test_the_action_changes_the_runners_schema_but_not_its_type() -> None:
    runner: dict[str, dict[str, Any]] = {"timeout": {"type": "integer", "default": 60}, "cwd": {"type": "string"}}
    action: dict[str, dict[str, Any]] = {"timeout": {"default": 5, "type": "string"}, "host": {"type": "array"}}
    assert merge_schemas(runner, action) == {
        "timeout": {"type": "integer", "default": 5},
        "cwd": {"type": "string"},
        "host": {"type": "array"},
    }
