"""What the `notify` section of an ended execution sends: one event for each route of each part that applies."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from squall.core.access.secret import masked
from squall.core.errors import InvalidError
from squall.core.event.internal.payloads import fitting_result
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution
from squall.core.timestamp import to_iso

_SECTIONS: Mapping[str, frozenset[str]] = {
    "on-complete": ex.FINAL,
    "on-success": frozenset({ex.SUCCEEDED}),
    "on-failure": frozenset({ex.FAILED, ex.TIMEOUT, ex.ABANDONED}),
}
_VERBS = {"on-complete": "completed", "on-success": "succeeded", "on-failure": "failed"}

MOST_ROUTES = 100
"""The most routes of one execution that are notified."""


MOST_RESULT = 1 << 20
"""The most bytes (of JSON) of a result in a notification; each route gets a copy."""


class Part(NamedTuple):
    """A part of a `notify` section that applies: its name, message, data and routes."""

    name: str
    message: str
    data: Mapping[str, Any]
    routes: tuple[str, ...]


def parts_of(execution: Execution) -> list[Part]:
    """Returns the parts of the execution's `notify` section that apply to its status and have a route. `channels` is
    the older name of `routes`. Ignores parts that are not well formed: files of packs are not checked."""
    return list(_parts(execution))


def _parts(execution: Execution) -> Iterator[Part]:
    if execution.status not in ex.FINAL:
        return
    for name, statuses in _SECTIONS.items():
        section = execution.notify.get(name)
        if execution.status not in statuses or not isinstance(section, dict):
            continue
        listed = section.get("routes") or section.get("channels")
        routes = tuple(route for route in listed if isinstance(route, str)) if isinstance(listed, list) else ()
        if not routes:
            continue
        message, data = section.get("message"), section.get("data")
        yield Part(
            name,
            message if isinstance(message, str) and message else f"Action {execution.action} {_VERBS[name]}.",
            data if isinstance(data, dict) else {},
            routes[:MOST_ROUTES],
        )


def names_for(execution: Execution, keys: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the names for the templates of a `notify` section. `keys` is the value of `st2kv`."""
    return {
        "st2kv": keys,
        "action_parameters": masked(execution.parameters),
        "action_context": masked(execution.context),
        "action_results": fitting_result(execution, MOST_RESULT),
    }


def payloads_of(
    execution: Execution, part: Part, render: Callable[[str], str], problems: list[str]
) -> list[dict[str, Any]]:
    """Returns the payload for each route. `render` renders a template. A text that cannot be rendered is sent as it was
    written, and `problems` gets the reason: a notification with an error in its text is better than none."""

    def rendered(where: str, value: Any) -> Any:
        if isinstance(value, str):
            try:
                return render(value)
            except InvalidError as error:
                problems.append(f"notify.{part.name}.{where}: {error}")
                return value
        if isinstance(value, dict):
            return {name: rendered(f"{where}.{name}", item) for name, item in value.items()}
        if isinstance(value, list):
            return [rendered(where, item) for item in value]
        return value

    data = {name: rendered(f"data.{name}", value) for name, value in part.data.items()}
    payload = {
        "execution_id": execution.id,
        "status": execution.status,
        "start_timestamp": to_iso(execution.start),
        "end_timestamp": to_iso(execution.end if execution.end is not None else execution.start),
        "action_ref": execution.action,
        "runner_ref": execution.runner,
        "message": rendered("message", part.message),
        "data": {**data, "result": json.dumps(fitting_result(execution, MOST_RESULT))},
    }
    return [{**payload, "route": route, "channel": route} for route in part.routes]
