"""The words of an error cost no more than the check of the value."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from squall.core.schema.json_schema import SchemaError, all_errors, complaint, wording


def _alternatives(levels: int) -> dict[str, Any]:
    """A schema whose alternatives double with each level."""
    parts = {f"a{level}": {"anyOf": [{"$ref": f"#/definitions/a{level + 1}"}] * 2} for level in range(levels)}
    return {"definitions": {**parts, f"a{levels}": {"type": "integer"}}, "$ref": "#/definitions/a0"}


_REPEATED: Any = [{"a": [number]} for number in range(10_000)]
COSTLY: list[tuple[dict[str, Any], Any]] = [
    ({"type": "array", "uniqueItems": True}, [*_REPEATED, _REPEATED[0]]),
    ({"type": "array", "items": {"enum": list(range(5000))}}, ["x"] * 20_000),
    ({"allOf": [{"enum": [1]}] * 1000}, ["x" * 60_000]),
    ({"allOf": [{"type": "integer"}] * 1000}, ["x" * 60_000]),
    (_alternatives(18), "x"),
    ({"patternProperties": {f"^(a+)+{number}$": {} for number in range(500)}, "additionalProperties": False},
     {f"{'a' * 30}{number}!": 1 for number in range(1000)}),
    ({"required": [f"k{number}" for number in range(50_000)]}, {}),
    ({"properties": {"a": {"multipleOf": 0.1}, "b": {"type": "string"}}}, {"a": 10**400, "b": 1}),
]  # fmt: skip
"""Values that are wrong, and whose words cost the library seconds to hours."""


class _CountedSteps:
    """Counts the calls of functions while it is a profiler."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, _frame: object, event: str, _arg: object) -> None:
        self.calls += event == "call"


@pytest.mark.parametrize(("schema", "value"), COSTLY)
def test_the_words_of_an_error_cost_a_bounded_number_of_steps(schema: dict[str, Any], value: Any) -> None:
    assert complaint({"type": "integer"}, "x")  # the library is loaded
    count = _CountedSteps()
    sys.setprofile(count)
    try:
        assert wording(schema, value)
    finally:
        sys.setprofile(None)
    assert count.calls < 400_000


def test_an_error_that_is_found_before_the_steps_end_is_worded() -> None:
    assert complaint({"items": {"type": "integer"}}, ["x"] * 60_000) == "'x' is not of type 'integer'"


def test_a_check_whose_errors_cost_too_much_to_find_is_refused() -> None:
    with pytest.raises(SchemaError, match="too many steps"):
        all_errors(_alternatives(18), "x")
    assert all_errors(_alternatives(18), 1) == []


@pytest.mark.parametrize("schema", [{"oneOf": [{"$ref": "#"}] * 2}, {"not": {"$ref": "#"}}, {"allOf": [{"$ref": "#"}]}])
@pytest.mark.parametrize("depth", [*range(12), 100, 200])
def test_parts_that_lead_to_themselves_are_left_before_python_runs_out_of_calls(schema: Any, depth: int) -> None:
    def below(calls: int) -> str:
        return below(calls - 1) if calls > 0 else wording(schema, 1)

    assert below(depth) == "the value does not fit its schema"


def test_the_error_of_a_value_that_nests_deeply_is_worded() -> None:
    value: Any = "x"
    for _ in range(60):
        value = {"c": value}
    schema = {"anyOf": [{"type": "integer"}, {"properties": {"c": {"$ref": "#"}}, "type": "object"}]}
    assert "is not" in str(complaint(schema, value))
