"""Schemas as the API shows them: with `********` for the defaults of secret values.

Squall itself uses the unmasked schemas; only documents for clients are masked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from squall.core.access.secret import MASK
from squall.core.content.action import Action, RunnerType, document
from squall.core.schema.walk import Place, has_secrets, mask_secrets

SHOWN_VALUES = frozenset({"default", "const", "example", "examples"})
"""The keywords that have a value, or a list of values, whose secret parts are masked."""
_NAMED = frozenset({"patternProperties", "definitions", "$defs", "dependencies", "dependentSchemas"})


def action_document(action: Action, runner: RunnerType | None) -> dict[str, Any]:
    """Returns the document of an action. Its parameters are secret if the action or its `runner` says so."""
    attributes = document(action)
    inherited = runner.runner_parameters if runner is not None else {}
    attributes["parameters"] = shown_parameters(action.parameters, inherited)
    attributes["output_schema"] = _masked_output(action.output_schema)
    return attributes


def runner_document(runner: RunnerType) -> dict[str, Any]:
    """Returns the document of a runner type."""
    attributes = document(runner)
    attributes["runner_parameters"] = shown_parameters(runner.runner_parameters)
    attributes["output_schema"] = _masked_output(runner.output_schema)
    return attributes


def shown_parameters(schemas: Mapping[str, Any], above: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Returns the masked schema of each parameter. `above` are the schemas of the runner that these ones change."""
    if not _may_have_secrets([schemas, above]):
        return dict(schemas)
    masked: dict[str, Any] = {}
    for name, schema in schemas.items():
        inherited = above.get(name) if above is not None else None
        if isinstance(schema, dict) and isinstance(inherited, dict) and _may_have_secrets(inherited):
            merged = shown_schema({**inherited, **schema})
            masked[name] = {key: merged[key] for key in schema}
        else:
            masked[name] = shown_schema(schema)
    return masked


def shown_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the masked schemas of a configuration's values. They may refer to each other."""
    masked: dict[str, Any] = shown_schema({"type": "object", "properties": dict(attributes)})["properties"]
    return masked


def shown_schema(schema: Any) -> Any:
    """Returns the schema with `********` for each `default`, `const` and example of a secret value, or for its secret
    parts.

    If a schema has secrets and also references or `allOf`, its marks may be far from the defaults, so all its defaults
    are masked.
    """
    if not _may_have_secrets(schema) or not has_secrets(schema):
        return schema
    return _masked_schema(schema, Place([schema], schema), schema, _mentions(schema, ("$ref", "allOf")))


def _may_have_secrets(schema: Any) -> bool:
    """Returns False if the schema surely has no secrets. This is faster than `has_secrets`, as every document of an
    execution needs it."""
    try:
        text = msgspec.json.encode(schema)
    except (TypeError, ValueError):
        return True
    return b'"secret"' in text or b'"$' in text


def _masked_output(schema: Mapping[str, Any]) -> dict[str, Any]:
    is_by_property = all(isinstance(entry, dict) for entry in schema.values()) and "properties" not in schema
    masked: dict[str, Any] = shown_parameters(schema) if is_by_property else shown_schema(dict(schema))
    return masked


def _masked_schema(schema: Any, place: Place, root: Any, hidden: bool) -> Any:
    if not isinstance(schema, dict):
        return schema
    hidden = hidden or place.secret
    masked: dict[str, Any] = {}
    for key, below in schema.items():
        if key == "examples" and isinstance(below, list):
            masked[key] = [_masked_value(each, place, hidden) for each in below]
        elif key in SHOWN_VALUES:
            masked[key] = _masked_value(below, place, hidden)
        elif key == "properties" and isinstance(below, dict):
            masked[key] = {
                name: _masked_schema(entry, place.property(name), root, hidden) for name, entry in below.items()
            }
        elif key in ("items", "prefixItems") and isinstance(below, list):
            masked[key] = [_masked_schema(entry, place.item(index), root, hidden) for index, entry in enumerate(below)]
        elif key in _NAMED and isinstance(below, dict):
            masked[key] = {name: _masked_other(entry, root, hidden) for name, entry in below.items()}
        else:
            masked[key] = below if key == "enum" else _masked_other(below, root, hidden)
    return masked


def _masked_other(schema: Any, root: Any, hidden: bool) -> Any:
    if isinstance(schema, list):
        return [_masked_other(entry, root, hidden) for entry in schema]
    return _masked_schema(schema, Place([schema], root), root, hidden)


def _masked_value(value: Any, place: Place, hidden: bool) -> Any:
    if hidden:
        return None if value is None else MASK
    return mask_secrets(value, place)


def _mentions(schema: Any, keywords: tuple[str, ...]) -> bool:
    if isinstance(schema, dict):
        return any(key in keywords or _mentions(below, keywords) for key, below in schema.items())
    return isinstance(schema, list) and any(_mentions(below, keywords) for below in schema)
