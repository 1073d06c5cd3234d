"""Output schemas: what an action promises of its result, checked if that is wanted, and its secret parts masked.

The schema is about the part of a result that the runner type's `output_key` names, or about all of it. Older packs give
a schema for each property instead of one for the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from squall.core.access.secret import MASK
from squall.core.content.action import Action, RunnerType
from squall.core.schema.json_schema import SchemaError, draft4, validator
from squall.core.schema.walk import has_secrets, mapped, place_of

MESSAGE = "Error validating output. See error output for more details."


def _whole(schema: dict[str, Any]) -> dict[str, Any]:
    """One schema, also of what has a schema for each property."""
    by_property = all(isinstance(item, dict) for item in schema.values()) and "properties" not in schema
    return {"type": "object", "properties": schema} if by_property else schema


def _schemas(action: Action, runner: RunnerType) -> list[dict[str, Any]]:
    return [_whole(found) for found in (runner.output_schema, action.output_schema) if found]


def _part(result: Any, runner: RunnerType) -> tuple[bool, Any]:
    """Whether there is what the schema is about, and that."""
    if runner.output_key is None:
        return True, result
    there = isinstance(result, dict) and runner.output_key in result
    return there, result[runner.output_key] if there else None


def checked_output(result: Any, action: Action, runner: RunnerType) -> dict[str, Any] | None:
    """The result of an action whose result is not what it promised, in StackStorm's words; None if it is."""
    there, part = _part(result, runner)
    for schema in _schemas(action, runner) if there else ():
        try:
            error = next(iter(validator(draft4(schema)).iter_errors(part)), None)
        except SchemaError as wrong:
            return {"error": f"The output schema is wrong: {wrong}", "message": MESSAGE}
        if error is not None:
            told = "the value does not fit the schema" if has_secrets(schema) else error.message
            where = "".join(f"[{key!r}]" for key in error.instance_path)
            return {"error": f"{told}{f' at output{where}' if where else ''}", "message": MESSAGE}
    return None


def has_secret_output(action: Action, runner: RunnerType) -> bool:
    """Whether any part of a result may be secret."""
    return any(has_secrets(schema) for schema in _schemas(action, runner))


def masked_output(result: Any, action: Action, runner: RunnerType) -> Any:
    """The result with `********` for what the schemas mark as secret."""
    return mapped_output(result, action, runner, lambda _: MASK)


def mapped_output(result: Any, action: Action, runner: RunnerType, secret: Callable[[Any], Any]) -> Any:
    """The result with `secret(part)` for each part that the schemas mark as secret."""
    there, part = _part(result, runner)
    if not there:
        return result
    hidden = part
    for schema in _schemas(action, runner):
        hidden = mapped(hidden, place_of(schema), secret)
    if hidden is part:
        return result
    return hidden if runner.output_key is None else {**result, runner.output_key: hidden}
