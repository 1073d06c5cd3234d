"""Filters of templates that packs render themselves give what those of the server give."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest

from squall.core.expr.filters.table import filters

OURS = filters()
CASES: list[tuple[str, list[Any]]] = [
    ("from_json_string", ['{"a": 1}']), ("json_parse", ["[1]"]), ("from_yaml_string", ["a: 1"]),
    ("yaml_parse", ["[a]"]), ("to_json_string", [{"b": [1], "a": "ä"}]), ("to_json_string", [{"b": 1}, 2, True]),
    ("json_dump", [[1]]), ("to_yaml_string", [{"a": [1], "ä": None}]), ("yaml_dump", [[1, {"a": 2}]]),
    ("json_escape", ['a"b\n']), ("jsonpath_query", [{"a": [{"b": 1}, {"b": 2}]}, "a[*].b"]),
    ("jsonpath_query", [{"a": 1}, "b"]), ("use_none", [None]), ("use_none", [0]), ("to_complex", [{"a": None}]),
    ("regex_match", ["xyz", "x"]), ("regex_match", ["xyz", "y"]), ("regex_search", ["xyz", "Y", True]),
    ("regex_replace", ["xyz", "[yz]+", "-"]), ("regex_replace", ["XyX", "x", "-", True]),
    ("regex_substring", ["a1 b22", r"\d+", 1]), ("basename", ["/a/b.txt"]), ("dirname", ["/a/b.txt"]),
    *[("to_human_time_from_seconds", [value]) for value in (0, 0.1, 1, 56, 62.4, 3785, 86401, 70_000_000, 59.7)],
    *[("version_compare", [one, "1.2.3"]) for one in ("1.2.3", "1.10.0", "0.9.9", "1.2.3-rc.1", "1.2.3+b")],
    ("version_compare", ["1.0.0-alpha.2", "1.0.0-alpha.10"]), ("version_compare", ["1.0.0-1", "1.0.0-a"]),
    *[("version_match", ["1.2.3", sign + "1.2.3"]) for sign in (">=", "<=", "==", "!=", ">", "<")],
    ("version_more_than", ["0.10.0", "0.9.0"]), ("version_less_than", ["0.10.0", "0.9.0"]),
    ("version_equal", ["0.10.0", "0.10.0"]), ("version_bump_major", ["1.2.3"]), ("version_bump_minor", ["1.2.3"]),
    ("version_bump_patch", ["1.2.3"]), ("version_strip_patch", ["1.2.3"]),
]  # fmt: skip


def theirs() -> dict[str, Callable[..., Any]]:
    found: dict[str, Callable[..., Any]] = importlib.import_module("squall_filters").FILTERS
    return found


@pytest.mark.parametrize(("name", "args"), CASES)
def test_a_filter_gives_what_the_servers_gives(name: str, args: list[Any]) -> None:
    assert theirs()[name](*args) == OURS[name](*args)


def test_every_filter_of_the_server_is_there_and_is_tried() -> None:
    assert set(theirs()) == {*OURS, "decrypt_kv"}
    assert {name for name, _ in CASES} == set(OURS)


@pytest.mark.parametrize(("value", "error"), [("x", TypeError), (True, TypeError), (-1, ValueError)])
def test_what_is_no_time_is_an_error(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        theirs()["to_human_time_from_seconds"](value)


def test_templates_of_packs_use_them() -> None:
    jinja = importlib.import_module("st2common.util.jinja")
    context = {"execution": {"result": {"a": [1]}, "elapsed": 3785}, "none": None}
    values = {
        "text": "{{ execution.result | to_yaml_string }}after {{ execution.elapsed | to_human_time_from_seconds }}",
        "none": "{{ none | use_none }}",
        "in": "{% if 'a' is in execution.result %}yes{% endif %}",
        "kept": [5, "{{ execution.elapsed }}"],
    }
    assert jinja.render_values(values, context) == {
        "text": "a:\n- 1\nafter 1h3m5s", "none": "%*****__%NONE%__*****%", "in": "yes", "kept": [5, "3785"],
    }  # fmt: skip
