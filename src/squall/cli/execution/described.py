"""The parameters of an action for people: their types, defaults and descriptions."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from typing import Any

from squall.cli.execution.parameters import Schema, merge_schemas
from squall.cli.terminal.table import cell, cell_width, table
from squall.client.api import Api
from squall.client.http import JsonObject

Row = tuple[str, str, object, object]

_MASK = "********"
_COLUMNS = ("parameter", "type", "default", "description")
_LEAST_ROOM = 24
"""The minimum width of a description that is broken into lines, in cells; a narrower one is cut."""


def schemas_of(api: Api, action: JsonObject) -> dict[str, Schema]:
    """Returns the schema of every parameter of an action and its runner."""
    runner = api.runner(str(action.get("runner_type")))
    return merge_schemas(runner.get("runner_parameters") or {}, action.get("parameters") or {})


def parameter_table(schemas: Mapping[str, Schema], wide: bool = False) -> str:
    """Returns a table with a row for each parameter, required ones first. At a terminal, descriptions are broken into
    several lines."""
    rows = [_row(name, schema) for name, schema in sorted(schemas.items(), key=_order)]
    if not sys.stdout.isatty() or wide:
        return table(_COLUMNS, rows)
    width = shutil.get_terminal_size().columns
    return table(_COLUMNS, _wrapped(rows, width), width)


def _wrapped(rows: list[Row], width: int) -> list[Row]:
    """Returns the rows with their descriptions broken into lines that fit beside the other columns, if there is
    room."""
    from textwrap import wrap

    others = [max(cell_width(cell(row[index])) for row in [_COLUMNS, *rows]) for index in range(3)]
    room = width - sum(others) - 2 * len(others)
    if room < _LEAST_ROOM:
        return rows
    broken: list[Row] = []
    for name, types, default, description in rows:
        first, *further = wrap(cell(description), room) or [""]
        broken.append((name, types, default, first))
        broken += [("", "", "", line) for line in further]
    return broken


def _order(item: tuple[str, Schema]) -> tuple[bool, str]:
    name, schema = item
    return (not schema.get("required"), name)


def _row(name: str, schema: Schema) -> Row:
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
    """Returns True if a value of this schema, or a part of it, is secret."""
    if isinstance(schema, Mapping):
        return schema.get("secret") is True or any(has_secret(part) for part in schema.values())
    return isinstance(schema, list) and any(has_secret(part) for part in schema)
