"""The parameters of an action for people: their types, defaults and descriptions."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from typing import Any

from squall.cli.execution.parameters import Schema, merge_schemas
from squall.cli.terminal.table import cell, table
from squall.client.api import Api
from squall.client.http import JsonObject

_MASK = "********"


def schemas_of(api: Api, action: JsonObject) -> dict[str, Schema]:
    """The schema of every parameter of an action, with those of its runner."""
    runner = api.runner(str(action.get("runner_type")))
    return merge_schemas(runner.get("runner_parameters") or {}, action.get("parameters") or {})


def parameter_table(schemas: Mapping[str, Schema], wide: bool = False) -> str:
    """A row for each parameter, those that are required first. Fits the terminal unless `wide`."""
    rows = [_row(name, schema) for name, schema in sorted(schemas.items(), key=_order)]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() and not wide else None
    return table(("parameter", "type", "default", "description"), rows, width)


def _order(item: tuple[str, Schema]) -> tuple[bool, str]:
    name, schema = item
    return (not schema.get("required"), name)


def _row(name: str, schema: Schema) -> tuple[str, str, object, object]:
    kind = schema.get("type", "string")
    types = " or ".join(map(str, kind)) if isinstance(kind, list) else str(kind)
    default = schema.get("default")
    if default is not None and has_secret(schema):
        default = _MASK
    if schema.get("immutable"):
        default = f"{cell(default)} (fixed)"
    elif schema.get("required") and default is None:
        default = "(required)"
    return (name, types, default, schema.get("description"))


def has_secret(schema: Any) -> bool:
    """Whether a value of this schema is secret, or a part of it is."""
    if isinstance(schema, Mapping):
        return schema.get("secret") is True or any(has_secret(part) for part in schema.values())
    return isinstance(schema, list) and any(has_secret(part) for part in schema)
