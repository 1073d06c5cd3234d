"""The payloads of events inside of Squall, in StackStorm's form. Sealed values are masked in them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from squall.core.access.secret import MASK, masked
from squall.core.content.keyvalue import USER, Key
from squall.core.content.keyvalue import document as key_document
from squall.core.execution.execution import Execution
from squall.core.execution.inquiry import RUNNER

ACTION: Final = "core.st2.generic.actiontrigger"
"""The type of the events of executions that got a status of `[action_sensor] emit_when`."""

NOTIFY: Final = "core.st2.generic.notifytrigger"
"""The type of the events for the routes in `notify` sections."""

INQUIRY: Final = "core.st2.generic.inquiry"
"""The type of the events of inquiries that wait for a response."""

FILE_WRITTEN: Final = "core.st2.action.file_written"
"""The type of the events of files of actions that the API wrote."""

KEY_CREATE: Final = "core.st2.key_value_pair.create"
KEY_UPDATE: Final = "core.st2.key_value_pair.update"
KEY_VALUE_CHANGE: Final = "core.st2.key_value_pair.value_change"
KEY_DELETE: Final = "core.st2.key_value_pair.delete"
KEY_TYPES = (KEY_CREATE, KEY_UPDATE, KEY_VALUE_CHANGE, KEY_DELETE)
"""The types of the events of keys in the datastore."""

MOST_RESULT: Final = 8 << 20
"""The most bytes (of JSON) of a result that an event carries."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def action_payload(execution: Execution) -> dict[str, Any]:
    """Returns the payload about an execution that has a new status. `action_name` has the action's ref, as recorded."""
    return {
        "execution_id": execution.id,
        "status": execution.status,
        "start_timestamp": str(_EPOCH + timedelta(microseconds=execution.start)),
        "action_name": execution.action,
        "action_ref": execution.action,
        "runner_ref": execution.runner,
        "parameters": masked(execution.parameters),
        "result": fitting_result(execution),
    }


def fitting_result(execution: Execution, most: int = MOST_RESULT) -> Any:
    """Returns the result of an execution for an event; an object that says so if it has more than `most` bytes."""
    if execution.result_size > most:
        return {
            "omitted": f"The result has {execution.result_size} bytes, too many for an event. Read it at "
            f"/v1/executions/{execution.id}"
        }
    return masked(execution.result)


def inquiry_payload(execution: Execution) -> dict[str, Any]:
    """Returns the payload about an execution of the runner `inquirer` that waits for a response."""
    result = execution.result
    route = result.get("route") if isinstance(result, dict) else None
    return {"id": execution.id, "route": route if isinstance(route, str) else ""}


def is_inquiry(execution: Execution) -> bool:
    """Checks whether an execution is an inquiry."""
    return execution.runner == RUNNER


def key_payloads(old: Key | None, new: Key | None) -> list[tuple[str, dict[str, Any]]]:
    """Returns the types and payloads of the events of a key that was created (`old` is None), written, or deleted
    (`new` is None). Secret values stay encrypted in them. The values of users' own keys are masked: everybody who may
    read events could read them.

    As in StackStorm, a written key is always updated; `value_change` is only for another value. The ciphertexts of
    secret values differ even if the values are equal.
    """
    if new is None:
        return [(KEY_DELETE, {"object": _shown(old)})] if old is not None else []
    if old is None:
        return [(KEY_CREATE, {"object": _shown(new)})]
    events: list[tuple[str, dict[str, Any]]] = [(KEY_UPDATE, {"object": _shown(new)})]
    if old.value != new.value:
        events.append((KEY_VALUE_CHANGE, {"old_object": _shown(old), "new_object": _shown(new)}))
    return events


def _shown(key: Key) -> dict[str, Any]:
    shown = key_document(key)
    return {**shown, "value": MASK} if key.scope == USER else shown


def file_payload(ref: str, path: str, host: str) -> dict[str, Any]:
    """Returns the payload about a file of the action `ref` that was written below the folder of its pack on `host`."""
    return {"ref": ref, "file_path": path, "host_info": {"hostname": host}}


def reduced(payload: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """Returns a payload that is too large with `reason` in place of its results, parameters and values."""
    short: dict[str, Any] = {}
    for name, value in payload.items():
        if name in ("parameters", "result"):
            short[name] = {"omitted": reason}
        elif name in ("data", "message"):
            short[name] = {} if name == "data" else reason
        elif name in ("object", "old_object", "new_object") and isinstance(value, dict):
            short[name] = {**value, "value": ""}
        else:
            short[name] = value
    return short
