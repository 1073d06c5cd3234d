"""Schemas as the API shows them: `********` for the defaults of what they mark secret.

Squall itself uses the schemas as they are; only documents for clients go through here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from squall.core.access.secret import MASK
from squall.core.content.action import Action, RunnerType, document
from squall.core.schema.walk import Place, has_secrets, mask_secrets

SHOWN_VALUES = frozenset({"default", "const", "example", "examples"})
"""Keywords that hold values, or a list of values, of which secret parts are masked."""
_NAMED = frozenset({"patternProperties", "definitions", "$defs", "dependencies", "dependentSchemas"})


def action_document(action: Action, runner: RunnerType | None) -> dict[str, Any]:
    """The document of an action; its `runner` says which of its parameters are secret beside the action itself."""
    shown = document(action)
    taken = runner.runner_parameters if runner is not None else {}
    shown["parameters"] = shown_parameters(action.parameters, taken)
    shown["output_schema"] = _shown_output(action.output_schema)
    return shown


def runner_document(runner: RunnerType) -> dict[str, Any]:
    """The document of a runner type."""
    shown = document(runner)
    shown["runner_parameters"] = shown_parameters(runner.runner_parameters)
    shown["output_schema"] = _shown_output(runner.output_schema)
    return shown


def shown_parameters(schemas: Mapping[str, Any], above: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The schema of each parameter, as it is shown. `above` are those of the runner, which the others change."""
    if not _may_have_secrets([schemas, above]):
        return dict(schemas)
    shown: dict[str, Any] = {}
    for name, schema in schemas.items():
        changed = above.get(name) if above is not None else None
        if isinstance(schema, dict) and isinstance(changed, dict) and _may_have_secrets(changed):
            merged = shown_schema({**changed, **schema})
            shown[name] = {key: merged[key] for key in schema}
        else:
            shown[name] = shown_schema(schema)
    return shown


def shown_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The schemas of a configuration's values, as they are shown; they may refer to each other."""
    shown: dict[str, Any] = shown_schema({"type": "object", "properties": dict(attributes)})["properties"]
    return shown


def shown_schema(schema: Any) -> Any:
    """The schema with `********` for each `default`, `const` and example of what is secret, or for its secret parts.

    In a schema with secrets and references or `allOf`, marks may be far from defaults: all of its defaults are masked.
    """
    if not _may_have_secrets(schema) or not has_secrets(schema):
        return schema
    return _shown(schema, Place([schema], schema), schema, _mentions(schema, ("$ref", "allOf")))


def _may_have_secrets(schema: Any) -> bool:
    """Whether a look into the schema is worth its time: documents of executions are made all the time."""
    try:
        text = msgspec.json.encode(schema)
    except (TypeError, ValueError):
        return True
    return b'"secret"' in text or b'"$' in text


def _shown_output(schema: Mapping[str, Any]) -> dict[str, Any]:
    is_by_property = all(isinstance(entry, dict) for entry in schema.values()) and "properties" not in schema
    shown: dict[str, Any] = shown_parameters(schema) if is_by_property else shown_schema(dict(schema))
    return shown


def _shown(schema: Any, place: Place, root: Any, hidden: bool) -> Any:
    if not isinstance(schema, dict):
        return schema
    hidden = hidden or place.secret
    shown: dict[str, Any] = {}
    for key, below in schema.items():
        if key == "examples" and isinstance(below, list):
            shown[key] = [_shown_value(each, place, hidden) for each in below]
        elif key in SHOWN_VALUES:
            shown[key] = _shown_value(below, place, hidden)
        elif key == "properties" and isinstance(below, dict):
            shown[key] = {name: _shown(entry, place.property(name), root, hidden) for name, entry in below.items()}
        elif key in ("items", "prefixItems") and isinstance(below, list):
            shown[key] = [_shown(entry, place.item(index), root, hidden) for index, entry in enumerate(below)]
        elif key in _NAMED and isinstance(below, dict):
            shown[key] = {name: _shown_other(entry, root, hidden) for name, entry in below.items()}
        else:
            shown[key] = below if key == "enum" else _shown_other(below, root, hidden)
    return shown


def _shown_other(schema: Any, root: Any, hidden: bool) -> Any:
    if isinstance(schema, list):
        return [_shown_other(entry, root, hidden) for entry in schema]
    return _shown(schema, Place([schema], root), root, hidden)


def _shown_value(value: Any, place: Place, hidden: bool) -> Any:
    if hidden:
        return None if value is None else MASK
    return mask_secrets(value, place)


def _mentions(schema: Any, keywords: tuple[str, ...]) -> bool:
    if isinstance(schema, dict):
        return any(key in keywords or _mentions(below, keywords) for key, below in schema.items())
    return isinstance(schema, list) and any(_mentions(below, keywords) for below in schema)
