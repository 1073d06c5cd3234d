"""An inquiry: an execution that waits for the answer of a person.

It is an execution of the runner `inquirer`. Its result holds the question; the answer is added as `response`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from squall.core.errors import InvalidError
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution
from squall.core.schema.json_schema import SchemaError, complaint, draft4, remote_reference, validator
from squall.core.schema.walk import has_secrets

RUNNER = "inquirer"
_MINUTE = 60_000_000


class Inquiry(msgspec.Struct, frozen=True, kw_only=True):
    """A question: the JSON schema of an answer, the users and roles that may answer, and the time for it (`ttl`,
    minutes)."""

    id: str
    route: str
    ttl: int
    users: list[str]
    roles: list[str]
    schema: dict[str, Any]


def question(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the result of an execution that waits for its answer."""
    return {
        "schema": parameters.get("schema") or {},
        "roles": parameters.get("roles") or [],
        "users": parameters.get("users") or [],
        "route": parameters.get("route") or "",
        "ttl": parameters.get("ttl"),
    }


def inquiry_of(execution: Execution) -> Inquiry:
    """Returns the question of an execution. Raises `InvalidError` in StackStorm's words if it has none (any more)."""
    if execution.runner != RUNNER:
        raise InvalidError(f'Action execution "{execution.id}" is not an inquiry.')
    if execution.status == ex.TIMEOUT:
        raise InvalidError(f'Inquiry "{execution.id}" timed out and can no longer be responded to')
    if execution.status == ex.SUCCEEDED:
        raise InvalidError(f'Inquiry "{execution.id}" has already been responded to.')
    if execution.status != ex.PENDING:
        raise InvalidError(f'Inquiry "{execution.id}" is {execution.status} and cannot be responded to.')
    result = execution.result
    return Inquiry(
        id=execution.id,
        route=result["route"],
        ttl=result["ttl"],
        users=result["users"],
        roles=result["roles"],
        schema=result["schema"],
    )


def check_question(schema: Mapping[str, Any]) -> None:
    """Raises `InvalidError` for an invalid schema, and for one that refers to another schema: no answer could fit
    it."""
    plain = _plain(schema)
    reference = remote_reference(plain)
    try:
        if reference is not None:
            raise SchemaError(f'"$ref" may only name a part of the schema itself, such as "#/…", not {reference!r}')
        validator(plain)
        if not _admits_objects(plain):
            raise SchemaError('it accepts no object, but a response is one; describe its parts as "properties"')
    except SchemaError as error:
        raise InvalidError(f"The schema is wrong: {error}") from error


def _admits_objects(schema: Any) -> bool:
    """Returns False if a schema surely refuses every object, by its type, its `enum`, or a schema inside it."""
    if not isinstance(schema, dict):
        return schema is not False
    types = schema.get("type", "object")
    choices = schema.get("enum")
    return (
        "object" in ([types] if isinstance(types, str) else types)
        and (choices is None or any(isinstance(choice, dict) for choice in choices))
        and schema.get("minProperties", 0) <= schema.get("maxProperties", sys.maxsize)
        and schema.get("not") not in ({}, True)
        and all(_admits_objects(part) for part in schema.get("allOf", ()))
        and all(any(map(_admits_objects, schema[word])) for word in ("anyOf", "oneOf") if word in schema)
    )


def check_response(inquiry: Inquiry, response: Any) -> None:
    """Raises `InvalidError` in StackStorm's words if the response does not fit the inquiry's schema."""
    try:
        reason = complaint(_plain(inquiry.schema), response, has_secrets(inquiry.schema))
    except SchemaError as error:
        raise InvalidError(f"The schema is wrong: {error}") from error
    if reason is not None:
        raise InvalidError(f'Response for inquiry "{inquiry.id}" did not pass schema validation. {reason}')


def _plain(schema: Mapping[str, Any]) -> Any:
    return draft4({"type": "object", **schema})


def is_over(execution: Execution, now: int) -> bool:
    """Checks whether the time for an answer is over; `now` is in µs. A `ttl` of 0 or less waits for ever."""
    ttl = execution.result.get("ttl") if isinstance(execution.result, dict) else None
    asked_at = execution.log[-1].at if execution.log else execution.start
    return isinstance(ttl, int) and ttl > 0 and now >= asked_at + ttl * _MINUTE
