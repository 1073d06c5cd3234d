"""Parameters: rendered, cast, checked; errors in the words that were recorded of StackStorm."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.content.keyvalue import KeyNames
from squall.core.errors import InvalidError
from squall.core.execution.params import bind_request, bind_run, cast_value, check_depths, wrong_defaults
from squall.core.expr.jinja import Jinja

LOCAL: dict[str, Any] = {
    "cmd": {"type": "string", "required": True},
    "timeout": {"type": "integer", "default": 60},
    "sudo": {"type": "boolean", "default": False, "immutable": True},
}
NAMES = {"action_context": {"user": "ada"}, "config_context": {}}


def request(schemas: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    return bind_request(schemas, given, NAMES, Jinja())


def run(schemas: dict[str, Any], stored: dict[str, Any]) -> dict[str, Any]:
    return bind_run(schemas, stored, NAMES, Jinja())


def refused(schemas: dict[str, Any], given: dict[str, Any]) -> str:
    with pytest.raises(InvalidError) as caught:
        request(schemas, given)
    return str(caught.value)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "'cmd' is a required property"),
        ({"cmd": None}, "'cmd' is a required property"),
        ({"cmd": "true", "bogus": 1}, "Additional properties are not allowed ('bogus' was unexpected)"),
        ({"cmd": "x", "a": 1, "b": 2}, "Additional properties are not allowed ('a', 'b' were unexpected)"),
        ({"cmd": "true", "sudo": True}, "Override of immutable parameter(s) ['sudo'] is unsupported."),
        ({"cmd": "true", "sudo": False}, "Override of immutable parameter(s) ['sudo'] is unsupported."),
        ({"cmd": "echo {{nosuch}}"}, 'Dependency unsatisfied in variable "nosuch"'),
    ],
)
def test_the_recorded_errors_are_told_word_for_word(given: dict[str, Any], told: str) -> None:
    assert refused(LOCAL, given) == told


@pytest.mark.parametrize(
    ("schema", "value", "told"),
    [
        ({"type": "string"}, 1, 'Value "1" must either be a string or None. Got "int".'),
        ({"type": "integer"}, "abc", "'abc' is not of type 'integer'; use a whole number, such as 5"),
        ({"type": "string", "enum": ["ok", "fail"]}, "weird", "'weird' is not one of ['ok', 'fail']"),
        ({"type": "integer"}, 1.5, "1.5 is not of type 'integer'"),
        ({"type": "integer"}, True, "True is not of type 'integer'"),
        ({"type": "number"}, "much", "'much' is not of type 'number'; use a number, such as 1.5"),
        ({"type": "boolean"}, "perhaps", "'perhaps' is not of type 'boolean'"),
        ({"type": "array"}, {"a": 1}, "{'a': 1} is not of type 'array'"),
        ({"type": "object"}, "no {", "'no {' is not of type 'object'; use JSON, such as {\"key\": \"value\"}"),
        ({"type": "array"}, "", "'' is not of type 'array'; use JSON, such as [\"a\", \"b\"]"),
        ({"type": "integer", "minimum": 5}, "4", "4 is less than the minimum of 5"),
        ({"type": "string", "pattern": "^a+$"}, "b", "'b' does not match '^a+$'"),
        ({"type": "array", "items": {"type": "string"}}, [1], "1 is not of type 'string'"),
        ({"type": "object", "properties": {"b": {"required": True}}}, {}, "'b' is a required property"),
    ],
)
def test_a_wrong_value_is_told_with_the_parameters_name(schema: dict[str, Any], value: Any, told: str) -> None:
    message = refused({"p": schema}, {"p": value})
    assert told in message
    assert '"p"' in message


@pytest.mark.parametrize(
    ("declared", "given", "value"),
    [
        ("integer", "7", 7),
        ("integer", "-70000000000000000000000", -70000000000000000000000),
        ("number", "1.5", 1.5),
        ("number", 2, 2),
        ("boolean", "true", True),
        ("boolean", "No", False),
        ("boolean", "1", True),
        ("boolean", False, False),
        ("array", "[1, 'a']", [1, "a"]),
        ("array", '[1, null, "a"]', [1, None, "a"]),
        ("object", '{"a": {"b": true}}', {"a": {"b": True}}),
        ("object", "{'a': None}", {"a": None}),
        ("string", "7", "7"),
        ("string", None, None),
        (None, "7", "7"),
    ],
)
def test_text_is_cast_to_the_declared_type(declared: str | None, given: Any, value: Any) -> None:
    schema = {"type": declared} if declared else {}
    bound = request({"p": schema}, {"p": given})
    assert bound == {"p": value}
    assert type(bound["p"]) is type(value)


@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity"])
def test_a_number_that_json_cannot_hold_is_refused(text: str) -> None:
    assert '"p"' in refused({"p": {"type": "number"}}, {"p": text})


@pytest.mark.parametrize("declared", ["object", "array", "integer", "number"])
@pytest.mark.parametrize(
    "text",
    [
        "web", "", "{None: 1}", "{(1, 2): 3}", "{[1]: 2}", "{'a': 1j}", "{'a': ...}", "{1, 2}", "[b'x']", "[1e999]",
        "9" * 5000 + "x", "[" + "9" * 5000 + "]", "[" * 1_000_000, "[" * 300 + "]" * 300, "-" * 100_000 + "1",
        "[NaN]", "{**{}}", "1+" * 50_000 + "1", '["\\ud800"]', "['\\ud800']", "{80: 1, '80': 2}",
        "[1, \0]", "f'{1}'", "lambda: 1",
    ],
    ids=lambda text: ascii(text[:20]),
)  # fmt: skip
def test_text_that_json_has_no_value_for_is_told_in_words_about_the_parameter(declared: str, text: str) -> None:
    message = refused({"p": {"type": declared}}, {"p": text})
    assert message.startswith('Parameter "p": ')
    assert f"is not of type {declared!r}" in message
    assert len(message) < 300
    for word in ("malformed", "literal for", "<unknown>", "<ast.", "sys.", "object at"):
        assert word not in message


@pytest.mark.parametrize("declared", ["integer", "number"])
def test_a_number_of_too_many_digits_is_told(declared: str) -> None:
    assert "too large" in refused({"p": {"type": declared}}, {"p": "9" * 5000})


def test_a_wrong_text_for_a_secret_is_not_quoted() -> None:
    schema = {"p": {"type": "object", "secret": True}}
    assert refused(schema, {"p": "{('hush',): 1}"}) == "Parameter \"p\": the value is not of type 'object'"


def test_keys_that_are_numbers_become_texts() -> None:
    bound = request({"p": {"type": "object"}}, {"p": "{80: 'web', 1.5: {2: (3, 4)}}"})
    assert bound == {"p": {"80": "web", "1.5": {"2": [3, 4]}}}


@pytest.mark.parametrize(
    "template",
    [
        "{{ 9 ** 9999 }}",
        "{{ 1e999 }}",
        "{{ '\\ud800' }}",
    ],
)
def test_a_template_inside_of_a_list_gives_json_or_is_told(template: str) -> None:
    assert refused({"p": {}}, {"p": [template]}).startswith('Failed to render parameter "p": ')


def test_a_template_inside_of_a_list_gives_plain_values() -> None:
    names = {**NAMES, "st2kv": {"system": KeyNames({"a.b": "value"})}}
    templates = ["{{ st2kv.system.a.b }}", "{{ st2kv.system.none }}", "{{ (1, 2) }}", "{{ {80: 1} }}"]
    templates += ["{{ range(3) }}", "{{ {none: 1} }}", "{{ ['a'] | map('upper') }}"]
    bound = bind_request({"p": {}}, {"p": templates}, names, Jinja())
    assert bound == {"p": ["value", "", [1, 2], {"80": 1}, [0, 1, 2], {"null": 1}, ["A"]]}
    assert type(bound["p"][0]) is str


def test_a_value_that_nests_too_deep_is_told() -> None:
    deep: Any = 1
    for _ in range(201):
        deep = [deep]
    with pytest.raises(InvalidError, match='Parameter "p": the value nests more than 200 times'):
        check_depths({"p": deep})
    check_depths({"p": deep[0], "q": "text"})


def test_a_structure_is_never_evaluated() -> None:
    with pytest.raises(InvalidError):
        cast_value("p", "[__import__('os').getpid()]", {"type": "array"})


def test_only_what_was_given_is_stored() -> None:
    assert request(LOCAL, {"cmd": "true"}) == {"cmd": "true"}


def test_the_run_has_every_parameter_that_has_a_value() -> None:
    assert run({**LOCAL, "env": {"type": "object"}}, {"cmd": "true"}) == {"cmd": "true", "timeout": 60, "sudo": False}


def test_an_explicit_null_wins_over_a_default_and_needs_no_type() -> None:
    assert request(LOCAL, {"cmd": "a", "timeout": None}) == {"cmd": "a", "timeout": None}
    assert run(LOCAL, {"cmd": "a", "timeout": None})["timeout"] is None


def test_a_null_inside_of_an_object_stands_for_what_is_optional() -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "string"},
            "b": {"type": "integer", "required": True},
            "c": {"type": "integer", "required": True, "default": None},
        },
    }
    assert request({"p": schema}, {"p": {"a": None, "b": 1, "c": None}}) == {"p": {"a": None, "b": 1, "c": None}}
    assert run({"p": schema}, {"p": {"b": 1}}) == {"p": {"b": 1}}
    assert "None is not of type 'integer'" in refused({"p": schema}, {"p": {"b": None}})
    assert "'b' is a required property" in refused({"p": schema}, {"p": {"a": None}})


def test_a_required_parameter_whose_default_is_null_may_be_null() -> None:
    schemas = {"p": {"type": "string", "required": True, "default": None}}
    assert request(schemas, {}) == {}
    assert run(schemas, {}) == {"p": None}


def test_a_required_parameter_is_satisfied_by_its_default() -> None:
    schemas = {"message": {"type": "string", "required": True, "default": "hello"}}
    assert request(schemas, {}) == {}
    assert run(schemas, {}) == {"message": "hello"}


def test_a_broken_template_is_passed_on_as_it_is() -> None:
    assert request(LOCAL, {"cmd": "echo {{ 1 +"}) == {"cmd": "echo {{ 1 +"}
    assert run(LOCAL, {"cmd": "echo {{ 1 +"})["cmd"] == "echo {{ 1 +"


def test_what_is_given_is_rendered_when_it_is_requested() -> None:
    assert request(LOCAL, {"cmd": "echo {{ 1 + 1 }} {{ action_context.user }} {{ timeout }}"}) == {
        "cmd": "echo 2 ada 60"
    }


def test_what_is_stored_is_not_rendered_again_when_it_runs() -> None:
    stored = request(LOCAL, {"cmd": "{% raw %}{{ nosuch }}{% endraw %}"})
    assert stored == {"cmd": "{{ nosuch }}"}
    assert run(LOCAL, stored)["cmd"] == "{{ nosuch }}"


def test_defaults_are_rendered_from_other_parameters_in_the_order_they_need() -> None:
    schemas = {
        "cmd": {"type": "string", "default": "{{ greeting }}!"},
        "greeting": {"type": "string", "default": "hello {{ name }}"},
        "name": {"type": "string", "required": True},
    }
    assert request(schemas, {"name": "ada"}) == {"name": "ada"}
    assert run(schemas, {"name": "ada"}) == {"cmd": "hello ada!", "greeting": "hello ada", "name": "ada"}


def test_a_rendered_value_has_the_type_of_its_parameter() -> None:
    schemas = {
        "count": {"type": "integer", "default": 3},
        "double": {"type": "integer", "default": "{{ count * 2 }}"},
        "list": {"type": "array", "default": "{{ [count, count] }}"},
        "flag": {"type": "boolean", "default": "{{ count > 2 }}"},
    }
    assert run(schemas, {}) == {"count": 3, "double": 6, "list": [3, 3], "flag": True}


def test_templates_inside_of_structures_are_rendered() -> None:
    schemas = {"name": {"type": "string"}, "env": {"type": "object"}, "list": {"type": "array"}}
    given = {"name": "ada", "env": {"WHO": "{{ name }}", "n": 1}, "list": ["a {{ name }}", ["{{ name }}"], None]}
    assert request(schemas, given) == {
        "name": "ada",
        "env": {"WHO": "ada", "n": 1},
        "list": ["a ada", ["ada"], None],
    }


def test_an_item_that_is_nothing_but_a_template_keeps_the_type_of_its_value() -> None:
    schemas = {
        "count": {"type": "integer"},
        "tags": {"type": "array"},
        "list": {"type": "array", "items": {"type": "integer"}},
        "map": {"type": "object"},
    }
    given = {"count": 7, "tags": ["a"], "list": ["{{ count }}"], "map": {"n": "{{ count }}", "t": "{{ tags }}"}}
    assert request(schemas, given)["list"] == [7]
    assert request(schemas, given)["map"] == {"n": 7, "t": ["a"]}


@pytest.mark.parametrize(
    ("defaults", "told"),
    [
        ({"a": "{{ b }}", "b": "{{ a }}"}, "a, b"),
        ({"a": "{{ a }}"}, "a"),
        ({"x": "{{ a }}", "a": "{{ b }}", "b": "{{ c }}", "c": "{{ a }}"}, "a, b, c"),
    ],
)
def test_a_cycle_is_told_with_its_members(defaults: dict[str, str], told: str) -> None:
    schemas = {name: {"type": "string", "default": text} for name, text in defaults.items()}
    assert refused(schemas, {}) == f"Cyclic dependency found in the following variables: {told}"


def test_a_default_that_cannot_be_rendered_is_told_before_anything_is_stored() -> None:
    schemas = {"cmd": {"type": "string", "default": "echo {{ nosuch }}"}}
    assert refused(schemas, {}) == 'Dependency unsatisfied in variable "nosuch"'


@pytest.mark.parametrize(
    "template",
    [
        "{{ 1 / 0 }}",
        "{{ name.nosuch.deeper }}",
        "{{ 'a' + 1 }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ name.__class__.__mro__ }}",
    ],
)
def test_a_template_that_fails_is_an_error_with_the_parameters_name(template: str) -> None:
    schemas = {"name": {"type": "string"}, "cmd": {"type": "string"}}
    assert 'Failed to render parameter "cmd"' in refused(schemas, {"name": "x", "cmd": template})


def test_a_parameter_without_a_value_renders_as_none() -> None:
    schemas = {"name": {"type": "string"}, "cmd": {"type": "string"}}
    assert request(schemas, {"cmd": "{{ name }}"}) == {"cmd": "None"}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (
            {"type": "object", "properties": {"secret": {"type": "string", "secret": True, "position": 1}}},
            {"secret": "x"},
        ),
        ({"type": "object", "properties": {"default": {"required": True}}}, {"default": 1}),
        ({"type": "object", "patternProperties": {"^a": {"type": "string", "required": True}}}, {"ab": "x"}),
        ({"type": "array", "items": {"type": "object", "properties": {"a": {"required": True}}}}, [{"a": 1}]),
        ({"anyOf": [{"type": "integer"}, {"type": "object", "properties": {"a": {"required": False}}}]}, {"a": 1}),
        ({"type": "object", "additionalProperties": {"type": "string", "required": True}}, {"x": "y"}),
        ({"type": "string", "description": "d", "required": False, "secret": True}, "x"),
    ],
)
def test_schemas_in_stackstorms_form_are_understood_at_any_depth(schema: dict[str, Any], value: Any) -> None:
    assert request({"p": schema}, {"p": value}) == {"p": value}


@pytest.mark.parametrize("schema", [{"type": "strng"}, {"minimum": "x"}, {"pattern": "("}])
def test_a_schema_that_is_wrong_itself_is_told_as_that(schema: dict[str, Any]) -> None:
    assert 'The schema of parameter "p" is wrong' in refused({"p": schema}, {"p": "x"})


def test_binding_changes_nothing_it_is_given() -> None:
    schemas = {"list": {"type": "array", "default": ["{{ name }}"]}, "name": {"type": "string"}}
    given = {"name": "{{ 1 }}"}
    request(schemas, given)
    run(schemas, {})
    assert schemas == {"list": {"type": "array", "default": ["{{ name }}"]}, "name": {"type": "string"}}
    assert given == {"name": "{{ 1 }}"}


NESTED: dict[str, Any] = {
    "options": {
        "type": "object",
        "properties": {
            "mode": {"type": "string", "default": "fast", "required": True},
            "limits": {"type": "object", "properties": {"cpu": {"type": "integer", "default": 2}}},
            "hosts": {"type": "array", "items": {"type": "object", "properties": {"port": {"default": 22}}}},
            "unset": {"type": "string", "default": None},
        },
    }
}


def test_what_is_missing_inside_of_objects_has_its_default_when_it_runs() -> None:
    given = {"options": {"limits": {}, "hosts": [{"port": 23}, {"name": "b"}]}}
    assert request(NESTED, given) == given
    assert run(NESTED, given)["options"] == {
        "mode": "fast", "limits": {"cpu": 2}, "hosts": [{"port": 23}, {"port": 22, "name": "b"}]
    }  # fmt: skip
    assert run(NESTED, {"options": {"mode": "slow"}})["options"] == {"mode": "slow"}


def test_a_default_inside_of_an_object_is_checked_like_what_was_given() -> None:
    wrong = {"p": {"type": "object", "properties": {"n": {"type": "integer", "default": "many"}}}}
    assert "'many' is not of type 'integer'" in refused(wrong, {"p": {}})


def test_defaults_that_are_refused_when_they_are_used_are_found() -> None:
    schemas: dict[str, Any] = {
        "l": {"type": "array", "default": "foo"},
        "c": {"enum": ["red"], "default": "blue"},
        "p": {"type": "string", "pattern": "^a", "default": "b"},
        "s": {"type": "string", "secret": True, "default": 5},
        "o": {"type": "object", "properties": {"n": {"type": "integer", "default": "7"}}},
        "fine": {"type": "integer", "default": "7"},
        "template": {"type": "integer", "default": "{{ fine }}"},
        "nothing": {"type": "integer", "default": None},
        "odd": "no schema",
    }
    found = dict(wrong_defaults(schemas))
    assert list(found) == [("l",), ("c",), ("p",), ("s",), ("o", "properties", "n")]
    assert found["l",] == "'foo' is not of type 'array'; use JSON, such as [\"a\", \"b\"]"
    assert found["c",] == "'blue' is not one of ['red']"
    assert "5" not in found["s",]
    assert ("fine",) in dict(wrong_defaults(schemas, casts=False))
