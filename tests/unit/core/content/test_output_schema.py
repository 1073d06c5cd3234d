"""Output schemas: what is checked of a result, and what of it is masked."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.content.output_schema import MESSAGE, checked_output, masked_output
from squall.testing.samples import sample_action, sample_runner

OBJECT = {
    "type": "object",
    "properties": {
        "token": {"type": "string", "secret": True, "required": True},
        "inner": {"type": "object", "properties": {"key": {"type": "string", "secret": True}}},
        "many": {"type": "array", "items": {"type": "string", "secret": True}},
    },
}
LEGACY = {"token": {"type": "string", "secret": True, "required": True}, "count": {"type": "integer"}}


def check(result: Any, schema: dict[str, Any], key: str | None = None) -> dict[str, Any] | None:
    return checked_output(result, sample_action(output_schema=schema), sample_runner(output_key=key))


def mask(result: Any, schema: dict[str, Any], key: str | None = None) -> Any:
    return masked_output(result, sample_action(output_schema=schema), sample_runner(output_key=key))


@pytest.mark.parametrize(
    ("result", "schema", "key"),
    [
        ({"token": "t"}, OBJECT, None),
        ({"result": {"token": "t"}, "stdout": 7}, OBJECT, "result"),
        ({"stdout": "without the key"}, OBJECT, "result"),
        ({"token": "t", "count": 1}, LEGACY, None),
        ("anything", {}, None),
    ],
)
def test_a_result_that_fits_is_left_alone(result: Any, schema: dict[str, Any], key: str | None) -> None:
    assert check(result, schema, key) is None


@pytest.mark.parametrize(
    ("result", "schema", "key", "told"),
    [
        ({"count": "x"}, {"count": {"type": "integer"}}, None, "at output['count']"),
        ({"result": "text"}, {"type": "integer"}, "result", "is not of type"),
        ({"token": 7}, LEGACY, None, "the value does not fit the schema"),
        ({}, OBJECT, None, "the value does not fit the schema"),
        ({}, {"type": "nonsense"}, None, "The output schema is wrong"),
    ],
)
def test_a_result_that_does_not_fit_is_told_without_its_secrets(
    result: Any, schema: dict[str, Any], key: str | None, told: str
) -> None:
    wrong = check(result, schema, key)
    assert wrong is not None
    assert told in wrong["error"]
    assert wrong["message"] == MESSAGE


def test_secret_parts_are_masked_at_any_depth() -> None:
    result = {"token": "t", "inner": {"key": "k", "open": 1}, "many": ["a", "b"], "other": "o"}
    assert mask(result, OBJECT) == {
        "token": "********", "inner": {"key": "********", "open": 1}, "many": ["********"] * 2, "other": "o"
    }  # fmt: skip
    assert mask({"result": result, "stdout": "s"}, OBJECT, "result")["result"]["token"] == "********"
    assert mask({"token": "t", "count": 1}, LEGACY) == {"token": "********", "count": 1}
    assert mask({"result": "all of it"}, {"type": "string", "secret": True}, "result") == {"result": "********"}


def test_what_is_not_secret_or_not_there_is_shown_as_it_is() -> None:
    result = {"stdout": "s"}
    assert mask(result, OBJECT, "result") is result
    assert mask(result, {"stdout": {"type": "string"}}) is result
    assert mask(None, OBJECT) is None
