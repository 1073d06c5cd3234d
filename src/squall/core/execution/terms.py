"""The terms of an advanced filter of executions (`filter=status:failed parameters.cmd:date`): the stored value for each
dotted path of an execution's document."""

from __future__ import annotations

import msgspec

from squall.core.errors import InvalidError
from squall.core.timestamp import from_iso

RESULT = "result"

_VALUES = {
    "id": "id",
    "liveaction.id": "id",
    "action.ref": "action",
    "liveaction.action": "action",
    "runner.name": "runner",
    "status": "status",
    "liveaction.status": "status",
    "context.user": "user",
    "parent": "parent",
    "log.status": "log",
    "rule.name": "rule",
    "trigger.name": "trigger",
    "trigger_type.name": "trigger_type",
    "trigger_instance.id": "trigger_instance",
}
_NUMBERS = {"delay": "delay", "result_size": "result_size"}
_TIMES = {"start_timestamp": "start", "end_timestamp": "end"}
_DOCUMENTS = {
    "action": "action_document",
    "runner": "runner_document",
    "parameters": "parameters",
    "context": "context",
    "result": RESULT,
    "liveaction.parameters": "parameters",
    "liveaction.context": "context",
    "liveaction.result": RESULT,
    "liveaction.runner_info": "runner_info",
    "trigger": "trigger_document",
    "trigger_type": "trigger_type_document",
    "trigger_instance": "trigger_instance_document",
    "rule": "rule_document",
}
_ORQUESTA = {"workflow_execution": "workflow_execution_id", "task_execution": "task_execution_id"}


class Term(msgspec.Struct, frozen=True):
    """One condition: the value below the keys `inner` of the stored `source` is the text `value`, or, if `between` is
    set, a number in that range, ends included. With neither, the value must be missing."""

    source: str
    inner: tuple[str, ...] = ()
    value: str | None = None
    between: tuple[int, int] | None = None


def advanced_terms(text: str) -> dict[str, Term]:
    """Parses the text of a filter into its terms by path; the last term of a path counts.

    Raises `InvalidError` for a word that is not `path:value`, and for a path that executions do not have.
    """
    terms: dict[str, Term] = {}
    for pair in text.split():
        path, colon, value = pair.partition(":")
        if not colon or not path:
            raise InvalidError(f'invalid format for filter "{pair}": expected path:value, such as status:failed')
        terms[path] = _term(path, value)
    return terms


def _term(path: str, value: str) -> Term:
    """Returns the term of a path and its value. Raises `InvalidError`."""
    missing = value.lower() == "null"
    if path in _TIMES and not missing:
        first, _, last = value.partition("..")
        low = from_iso(first, path)
        return Term(_TIMES[path], between=(low, from_iso(last, path) if last else low))
    if path in _NUMBERS and not missing:
        if not (value.isascii() and value.isdigit() and len(value) <= 18):
            raise InvalidError(f"filter: {path}:{value} is not a number")
        return Term(_NUMBERS[path], between=(int(value), int(value)))
    for sources in (_VALUES, _NUMBERS, _TIMES):
        if path in sources:
            return Term(sources[path], value=None if missing else value)
    if path in _ORQUESTA:
        return Term("context", ("orquesta", _ORQUESTA[path]), None if missing else value)
    return Term(*_inside(path), None if missing else value)


def _inside(path: str) -> tuple[str, tuple[str, ...]]:
    """Splits a path into a stored document and the keys in it. Raises `InvalidError`."""
    parts = path.split(".")
    for length in (2, 1):
        source = _DOCUMENTS.get(".".join(parts[:length]))
        if source is not None:
            if not all(parts) or '"' in path:
                break
            return source, tuple(parts[length:])
    paths = ", ".join(sorted({*_VALUES, *_NUMBERS, *_TIMES, *_ORQUESTA, *(f"{name}.…" for name in _DOCUMENTS)}))
    raise InvalidError(f'filter: Cannot resolve field "{path}"; use one of {paths}')
