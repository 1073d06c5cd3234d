"""Filters on data, at their edges. What they give is in `test_functions.py`."""

from __future__ import annotations

import pytest

from squall.core.expr.filters.data import JsonPaths, json_value, to_json_string, to_yaml_string


def test_json_keeps_objects_and_reads_texts() -> None:
    assert json_value({"a": 1}) == {"a": 1}
    assert json_value("[1]") == [1]
    with pytest.raises(TypeError, match="Given object is not typeof string"):
        json_value(5)


def test_texts_can_be_indented_and_sorted() -> None:
    assert to_json_string({"b": 1, "a": 2}, indent=1, sort_keys=True) == '{\n "a": 2,\n "b": 1\n}'
    assert to_yaml_string({"a": {"b": "ü"}}, indent=4) == "a:\n    b: ü\n"


def test_a_query_is_parsed_once() -> None:
    paths = JsonPaths()
    assert paths.query({"a": [1, 2]}, "a[*]") == [1, 2]
    assert paths.query({"a": []}, "a[*]") is None
    assert len(paths._parsed) == 1
