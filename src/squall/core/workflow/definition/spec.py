"""A workflow as its author wrote it: read from YAML into records. `inspect` finds the mistakes in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
import yaml

from squall.core.errors import InvalidError
from squall.core.safe_yaml import load_yaml
from squall.core.workflow.definition.inline import inline_parameters

COMMANDS = ("continue", "noop", "fail", "retry")
"""The names behind `do` that are commands of the engine."""

_ITEMS = re.compile(r"^\s*((?:\w+\s*,\s*|\w+\s+(?=\w))*\w+)\s+in\s+(.*)$", re.DOTALL)


class Transition(msgspec.Struct, frozen=True):
    """One entry of `next`: a condition (None: always), the values to publish, and the tasks that follow."""

    when: str | None
    publish: tuple[tuple[str, Any], ...]
    do: tuple[str, ...]


class Retry(msgspec.Struct, frozen=True):
    """The rule for retries of a task: `count` and `delay` (s) are numbers or expressions."""

    count: Any
    when: str | None = None
    delay: Any = None


class WithItems(msgspec.Struct, frozen=True):
    """The items of a task: `keys` name the parts of an item (none: the item itself)."""

    expression: str
    keys: tuple[str, ...] = ()
    concurrency: Any = None


class Task(msgspec.Struct, frozen=True):
    """One task. `join` is `all`, a number, or None."""

    name: str
    action: str | None = None
    input: Any = None
    delay: Any = None
    join: str | int | None = None
    items: WithItems | None = None
    retry: Retry | None = None
    next: tuple[Transition, ...] = ()


class Workflow(msgspec.Struct, frozen=True):
    """A workflow. `input` has names with their defaults; `vars` and `output` have names with their values, in order."""

    input: tuple[tuple[str, Any], ...]
    vars: tuple[tuple[str, Any], ...]
    output: tuple[tuple[str, Any], ...]
    tasks: dict[str, Task]


def load_document(text: str | bytes) -> dict[str, Any]:
    """Reads the YAML of a workflow into plain values. Raises `InvalidError` in StackStorm's words."""
    failure = "Failed to load workflow definition because "
    try:
        source = text.decode() if isinstance(text, bytes) else text
        document = load_yaml(source)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise InvalidError(f"{failure}{str(error).rstrip('.')}.") from error
    if not document:
        raise InvalidError("The spec cannot be type of None.")
    if not isinstance(document, dict):
        raise InvalidError("The spec is not type of json or yaml.")
    tasks = document.get("tasks")
    if tasks and not isinstance(tasks, dict):
        raise InvalidError(f"{failure}a string or stream input is required.")
    return document


def read_workflow(document: Mapping[str, Any]) -> Workflow:
    """Reads the records from a document that has passed inspection. Raises `InvalidError` for a task whose name no
    pattern of the inspection covers, and that is not written like a task."""
    return Workflow(
        input=tuple(_pair(entry) for entry in document.get("input") or ()),
        vars=tuple(_pair(entry) for entry in document.get("vars") or ()),
        output=tuple(_pair(entry) for entry in document.get("output") or ()),
        tasks={name: _checked_task(name, task or {}) for name, task in document["tasks"].items()},
    )


def _checked_task(name: str, document: Any) -> Task:
    try:
        return read_task(name, document)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InvalidError(f'The task "{name}" is not written like a task: {error}') from error


def read_task(name: str, document: Mapping[str, Any]) -> Task:
    """Reads one task's record; parameters in the line of the action replace `input`."""
    action, inputs = action_and_input(document)
    retry = document.get("retry")
    return Task(
        name=name,
        action=action,
        input=inputs,
        delay=document.get("delay"),
        join=document.get("join"),
        items=_with_items(document.get("with")),
        retry=Retry(retry["count"], retry.get("when"), retry.get("delay")) if retry else None,
        next=tuple(_transition(entry) for entry in document.get("next") or ()),
    )


def action_and_input(document: Mapping[str, Any]) -> tuple[str | None, Any]:
    """Returns a task's action and its input, from either form."""
    action, inputs = document.get("action"), document.get("input")
    if isinstance(action, str):
        inline = inline_parameters(action)
        if inline and " " in action:
            return action[: action.index(" ")], dict(inline)
    return action, inputs


def targets(do: Any) -> tuple[str, ...]:
    """Returns the names behind `do` (a list, or a text with commas); `continue` if there are none."""
    if not do:
        return ("continue",)
    names = do.split(",") if isinstance(do, str) else do
    return tuple(str(name).strip() for name in names)


def published(publish: Any) -> tuple[tuple[str, Any], ...]:
    """Returns the names and values that a transition publishes, from either form."""
    if isinstance(publish, str):
        return tuple(inline_parameters(publish))
    return tuple(_pair(entry) for entry in publish or ())


def split_items(text: str) -> tuple[tuple[str, ...], str]:
    """Splits `x, y in <% … %>` into its keys and its expression."""
    match = _ITEMS.match(text)
    if match is None or " in " not in text:
        return (), text.strip()
    return tuple(key for key in re.split(r"[\s,]+", match[1]) if key), match[2].strip()


def _transition(entry: Mapping[str, Any]) -> Transition:
    return Transition(entry.get("when"), published(entry.get("publish")), targets(entry.get("do")))


def _with_items(entry: Any) -> WithItems | None:
    if not entry:
        return None
    if isinstance(entry, str):
        entry = {"items": entry}
    keys, expression = split_items(entry["items"])
    return WithItems(expression, keys, entry.get("concurrency"))


def _pair(entry: Any) -> tuple[str, Any]:
    if isinstance(entry, Mapping):
        return next(iter(entry.items()))
    return entry, None
