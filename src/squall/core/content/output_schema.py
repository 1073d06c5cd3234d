"""Output schemas: checks the results of actions against their schemas, and masks their secret parts.

The schema describes the part of a result that the runner type's `output_key` names, or the whole result. Older packs
have one schema per property instead of one for the whole.
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
    """Returns the schema of the whole, also if `schema` has one schema per property."""
    by_property = all(isinstance(item, dict) for item in schema.values()) and "properties" not in schema
    return {"type": "object", "properties": schema} if by_property else schema


def _schemas(action: Action, runner: RunnerType) -> list[dict[str, Any]]:
    return [_whole(schema) for schema in (runner.output_schema, action.output_schema) if schema]


def _part(result: Any, runner: RunnerType) -> tuple[bool, Any]:
    """Returns True and the part of a result that the schema describes; (False, None) if the result lacks it."""
    if runner.output_key is None:
        return True, result
    exists = isinstance(result, dict) and runner.output_key in result
    return exists, result[runner.output_key] if exists else None


def checked_output(result: Any, action: Action, runner: RunnerType) -> dict[str, Any] | None:
    """Checks a result. Returns the error result, in StackStorm's words, if it does not fit its schemas; else None."""
    exists, part = _part(result, runner)
    for schema in _schemas(action, runner) if exists else ():
        try:
            error = next(iter(validator(draft4(schema)).iter_errors(part)), None)
        except SchemaError as wrong:
            return {"error": f"The output schema is wrong: {wrong}", "message": MESSAGE}
        if error is not None:
            reason = "the value does not fit the schema" if has_secrets(schema) else error.message
            path = "".join(f"[{key!r}]" for key in error.instance_path)
            return {"error": f"{reason}{f' at output{path}' if path else ''}", "message": MESSAGE}
    return None


def has_secret_output(action: Action, runner: RunnerType) -> bool:
    """Returns True if a part of a result may be secret."""
    return any(has_secrets(schema) for schema in _schemas(action, runner))


def masked_output(result: Any, action: Action, runner: RunnerType) -> Any:
    """Returns the result with `********` for each part that the schemas mark as secret."""
    return mapped_output(result, action, runner, lambda _: MASK)


def mapped_output(result: Any, action: Action, runner: RunnerType, secret: Callable[[Any], Any]) -> Any:
    """Returns the result with `secret(part)` for each part that the schemas mark as secret."""
    exists, part = _part(result, runner)
    if not exists:
        return result
    changed = part
    for schema in _schemas(action, runner):
        changed = mapped(changed, place_of(schema), secret)
    if changed is part:
        return result
    return changed if runner.output_key is None else {**result, runner.output_key: changed}
