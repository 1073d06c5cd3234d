"""Inspection: finds all mistakes in a workflow before it runs, and reports them in Orquesta's words and order.

It checks the document as it is written, so that one mistake does not hide the others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any

from squall.core.expr.language import Language
from squall.core.expr.parts import languages
from squall.core.regex import compiled
from squall.core.schema.json_schema import validator
from squall.core.workflow.definition.inspect_flow import context_complaints, semantic_complaints
from squall.core.workflow.definition.paths import TASK_SCHEMA, WrittenTask, written_tasks
from squall.core.workflow.definition.schema import SCHEMA
from squall.core.workflow.definition.spec import action_and_input

ORDER = ("content", "context", "expression", "semantic", "syntax")

_PLAIN = re.compile(r"[A-Za-z0-9_]+")
_PARSED_SCHEMA = json.loads(json.dumps(SCHEMA).replace("{{.*?}}", r"\\{\\{.*?\\}\\}"))
"""`SCHEMA` with its braces escaped: some engines take them for counts."""

ParametersOf = Callable[[str], Mapping[str, Any] | None]
"""Returns the schemas of an action's parameters by the action's ref, or None if there is no such action."""


def inspect_workflow(
    document: Mapping[str, Any],
    language: Language,
    parameters_of: ParametersOf | None = None,
    context: Collection[str] = ("st2", "parent"),
) -> list[dict[str, Any]]:
    """Returns all complaints about a workflow: `{type, message, spec_path, schema_path}`, some with language and
    expression.

    `context` has the variables that exist besides those of the workflow. Without `parameters_of` actions are not
    checked.
    """
    document = _with_items_in_full(document)
    by_kind = {
        "content": list(_content(document, parameters_of)) if parameters_of else [],
        "context": context_complaints(document, language, context),
        "expression": list(_expressions(document, language)),
        "semantic": semantic_complaints(document),
        "syntax": list(_syntax(document)),
    }
    complaints = []
    for kind in ORDER:
        of_kind = by_kind[kind]
        if kind != "content":
            of_kind.sort(key=lambda each: (each["schema_path"] or "", each["spec_path"] or ""))
        complaints += [{**each, "type": kind} for each in of_kind]
    return complaints


def _with_items_in_full(document: Mapping[str, Any]) -> dict[str, Any]:
    tasks = document.get("tasks")
    if not isinstance(tasks, dict):
        return dict(document)
    full = {
        name: {**task, "with": {"items": task["with"]}}
        if isinstance(task, dict) and isinstance(task.get("with"), str)
        else task
        for name, task in tasks.items()
    }
    return {**document, "tasks": full}


def _syntax(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if _fits(document):
        return
    for error in _worder()(SCHEMA).iter_errors(document):
        yield {
            "message": _unescaped(error.message),
            "spec_path": _path(error.absolute_path) or None,
            "schema_path": _path(error.absolute_schema_path) or None,
        }


def _fits(document: Mapping[str, Any]) -> bool:
    """Checks whether a document surely fits the schema. The two validators disagree on names in other scripts."""
    tasks = document.get("tasks")
    if not isinstance(tasks, dict) or not all(isinstance(name, str) and _PLAIN.fullmatch(name) for name in tasks):
        return False
    try:
        return validator(_PARSED_SCHEMA).is_valid(document)
    except (ValueError, TypeError):
        return False


@lru_cache(1)
def _worder() -> Any:
    """Returns the validator with Orquesta's words for a mistake. Creating it takes 0.1 s, and a correct workflow never
    needs it: so the first mistake creates it."""
    from jsonschema import Draft4Validator, ValidationError
    from jsonschema.validators import extend

    def pattern(worder: Any, text: str, instance: Any, _schema: Any) -> Iterator[Any]:
        # Python's own engine takes for ever on some texts with many spaces.
        if worder.is_type(instance, "string") and not compiled(text).search(instance):
            yield ValidationError(f"{instance!r} does not match {text!r}")

    def named(worder: Any, patterns: Any, instance: Any, schema: Any) -> Iterator[Any]:
        names = _texts(instance)
        for name in instance if isinstance(instance, dict) else ():
            if name not in names:
                yield ValidationError(f"{name!r} is a name and must be a text: write it in quotes")
        yield from rules["patternProperties"](worder, patterns, names, schema)

    def additional(worder: Any, allowed: Any, instance: Any, schema: Any) -> Iterator[Any]:
        yield from rules["additionalProperties"](worder, allowed, _texts(instance), schema)

    rules: Mapping[str, Any] = Draft4Validator.VALIDATORS
    own = {"pattern": pattern, "patternProperties": named, "additionalProperties": additional}
    return extend(Draft4Validator, own)  # type: ignore[no-untyped-call]


def _texts(instance: Any) -> Any:
    """Returns an object without the keys that are no texts: YAML reads `42:` as a number, and patterns take texts."""
    if not isinstance(instance, dict):
        return instance
    return {name: value for name, value in instance.items() if isinstance(name, str)}


def _unescaped(message: str) -> str:
    try:
        return message.encode("latin-1", "backslashreplace").decode("unicode_escape")
    except UnicodeDecodeError:
        return message


def _path(parts: Any) -> str:
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _expressions(document: Mapping[str, Any], language: Language) -> Iterator[dict[str, Any]]:
    def complaints(value: Any, spec_path: str, schema_path: str) -> Iterator[dict[str, Any]]:
        for each in language.complaints(value):
            yield {
                "language": each["type"],
                "expression": each["expression"],
                "message": each["message"],
                "spec_path": spec_path,
                "schema_path": schema_path,
            }

    for name in ("vars", "input", "output"):
        yield from complaints(document.get(name), name, f"properties.{name}")
    for task in written_tasks(document):
        action, inputs = action_and_input(task.written)
        values = {**{key: task.written.get(key) for key in ("delay", "join")}, "action": action, "input": inputs}
        for key, value in values.items():
            yield from complaints(value, f"{task.path}.{key}", f"{TASK_SCHEMA}.properties.{key}")
        for part in ("with", "retry"):
            fields = task.written.get(part)
            if isinstance(fields, dict):
                for key, value in fields.items():
                    schema = f"{TASK_SCHEMA}.properties.{part}.properties.{key}"
                    yield from complaints(value, f"{task.path}.{part}.{key}", schema)
        for at, entry in task.transitions():
            for key in ("when", "publish", "do"):
                schema = f"{TASK_SCHEMA}.properties.next.items.properties.{key}"
                yield from complaints(entry.get(key), f"{task.path}.next[{at}].{key}", schema)


def _content(document: Mapping[str, Any], parameters_of: ParametersOf) -> Iterator[dict[str, Any]]:
    for task in written_tasks(document):
        action, inputs = action_and_input(task.written)
        if not isinstance(action, str) or not action or languages(action):
            continue
        where = {"spec_path": f"{task.path}.action", "schema_path": f"{TASK_SCHEMA}.properties.action"}
        if len(action.split(".")) < 2 or not all(action.split(".", 1)):
            yield {"message": f'The action reference "{action}" is not formatted correctly.', **where}
            continue
        schemas = parameters_of(action)
        if schemas is None:
            yield {"message": f'The action "{action}" is not registered in the database.', **where}
        elif inputs is None or isinstance(inputs, dict):
            yield from _inputs(task, action, inputs or {}, schemas)


def _inputs(
    task: WrittenTask, action: str, inputs: Mapping[str, Any], schemas: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    schema_path = f"{TASK_SCHEMA}.properties.input"
    for name in sorted(schemas):
        if schemas[name].get("required") is True and "default" not in schemas[name] and name not in inputs:
            message = f'Action "{action}" is missing required input "{name}".'
            yield {"message": message, "spec_path": f"{task.path}.input", "schema_path": schema_path}
    for name in sorted(inputs.keys() - schemas.keys()):
        yield {
            "message": f'Action "{action}" has unexpected input "{name}".',
            "spec_path": f"{task.path}.input.{name}",
            "schema_path": schema_path + ".patternProperties.^\\w+$",
        }
