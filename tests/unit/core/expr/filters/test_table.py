"""The filters, with the results StackStorm documents."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.expr.filters.data import NONE_MARKER
from squall.core.expr.filters.table import filters, zip_lists

FILTERS = filters()


@pytest.mark.parametrize(
    ("name", "args", "value"),
    [
        ("from_json_string", ['{"a": 1}'], {"a": 1}),
        ("json_parse", ["[1]"], [1]),
        ("from_yaml_string", ["a: 1"], {"a": 1}),
        ("to_json_string", [{"a": [1]}], '{"a": [1]}'),
        ("to_yaml_string", [{"a": [1]}], "a:\n- 1\n"),
        ("json_escape", ['a"b\n'], 'a\\"b\\n'),
        ("jsonpath_query", [{"a": [{"b": 1}, {"b": 2}]}, "a[*].b"], [1, 2]),
        ("jsonpath_query", [{"a": 1}, "b"], None),
        ("use_none", [None], NONE_MARKER),
        ("use_none", [0], 0),
        ("to_complex", [{"a": None}], '{"a": null}'),
        ("regex_match", ["xyz", "x"], True),
        ("regex_match", ["xyz", "y"], False),
        ("regex_search", ["xyz", "Y", True], True),
        ("regex_replace", ["xyz", "[yz]+", "-"], "x-"),
        ("regex_substring", ["a1 b22", r"\d+", 1], "22"),
        ("to_human_time_from_seconds", [0], "0s"),
        ("to_human_time_from_seconds", [56], "56s"),
        ("to_human_time_from_seconds", [62.4], "1m2s"),
        ("to_human_time_from_seconds", [3785], "1h3m5s"),
        ("to_human_time_from_seconds", [86401], "1d0h0m1s"),
        ("to_human_time_from_seconds", [0.1], "0.1μs"),
        ("version_compare", ["0.10.0", "0.9.0"], 1),
        ("version_more_than", ["0.10.0", "0.9.0"], True),
        ("version_less_than", ["0.10.0", "0.9.0"], False),
        ("version_equal", ["0.10.0", "0.10.0"], True),
        ("version_match", ["0.10.0", ">=0.9.0"], True),
        ("version_bump_major", ["1.2.3"], "2.0.0"),
        ("version_bump_minor", ["1.2.3"], "1.3.0"),
        ("version_bump_patch", ["1.2.3"], "1.2.4"),
        ("version_strip_patch", ["1.2.3"], "1.2"),
        ("basename", ["/a/b.txt"], "b.txt"),
        ("dirname", ["/a/b.txt"], "/a"),
    ],
)
def test_a_filter_gives(name: str, args: list[Any], value: Any) -> None:
    assert FILTERS[name](*args) == value


def test_lists_are_zipped_to_the_longest() -> None:
    assert zip_lists([1, 2], None, pad=0) == [[1, 0], [2, 0]]
    assert zip_lists([1]) == [1]


@pytest.mark.parametrize("seconds", ["5", None, True])
def test_no_number_of_seconds_is_an_error(seconds: Any) -> None:
    with pytest.raises(TypeError, match="is not a number"):
        FILTERS["to_human_time_from_seconds"](seconds)
