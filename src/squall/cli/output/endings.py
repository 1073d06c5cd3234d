"""The closing line of an execution: its status, and for a failure the exit code, the last line of stderr, the task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from squall.cli.terminal.table import cell, duration
from squall.client.api import Api
from squall.client.http import JsonObject, Query
from squall.client.paths import path_of
from squall.core.errors import SquallError

_LONGEST = 500
_PARTS = ("error", "errors", "tasks", "return_code", "exit_code")
_SEE_RESULT = "Execution failed. See result for details."


class Reason(NamedTuple):
    """The reason of a failure: the exit code of its process, or None, and a text on one line, or ""."""

    code: int | None = None
    text: str = ""

    def line(self, subject: str) -> str:
        """Returns `subject` with the reason, such as `failed (exit 7): no such file`."""
        return f"{subject}{self.exit_text}{': ' + self.text if self.text else ''}"

    @property
    def exit_text(self) -> str:
        """The end of the process, after a space: its exit code, or the signal that killed it; "" if unknown."""
        if self.code is None:
            return ""
        return f" (killed by signal {-self.code})" if self.code < 0 else f" (exit {self.code})"


def closing_line(document: JsonObject, reason: Reason | None = None) -> str:
    """Returns the status, the duration, the id and the reason, on one line."""
    reason = reason or Reason()
    took = duration(document.get("elapsed_seconds"))
    status = str(document.get("status"))
    exit_text = reason.exit_text if status == "failed" else ""
    line = f"{status}{exit_text}{' in ' + took if took else ''} · {document.get('id')}"
    return f"{line}: {reason.text}" if reason.text else line


def failure(api: Api, execution_id: str) -> Reason:
    """Returns the reason why an execution has not succeeded, without fetching its output; an empty reason if the server
    has none."""
    try:
        attributes = ",".join(["parameters.pty", *(f"result.{part}" for part in _PARTS)])
        document = api.execution(execution_id, only=attributes)
        reason = reason_of(document.get("result"))
        if reason.code is not None and not reason.text:
            # On a terminal, stdout has both streams.
            one_stream = (document.get("parameters") or {}).get("pty") is True
            reason = reason._replace(text=_last_line(api, execution_id, "stdout" if one_stream else "stderr"))
    except SquallError:
        return Reason()
    return reason


def reason_of(result: Any) -> Reason:
    """Returns the reason in the result of an action, a workflow, a chain, or an action on several hosts."""
    if not isinstance(result, Mapping):
        return Reason()
    code = next((result[name] for name in ("return_code", "exit_code") if isinstance(result.get(name), int)), None)
    if isinstance(result.get("error"), str) and result["error"].strip():
        return Reason(code or None, _short(result["error"]))
    if isinstance(result.get("errors"), list) and result["errors"]:
        return _of_workflow(result["errors"])
    if isinstance(result.get("tasks"), list):
        return _of_chain(result["tasks"])
    if code is not None:
        return Reason(code or None, _last(result.get("stderr")))
    for host, part in result.items():
        if isinstance(part, Mapping) and part.get("failed") is True:
            return Reason(None, _short(reason_of(part).line(f"{host} failed")))
    return Reason()


def _of_workflow(errors: list[Any]) -> Reason:
    entries = [entry for entry in errors if isinstance(entry, Mapping)]
    if not entries:
        return Reason()
    # The task `fail`, which ends a workflow, has no result: the reason is in an earlier entry.
    entry = next((each for each in entries if isinstance(each.get("result"), Mapping)), entries[0])
    task, message = entry.get("task_id"), str(entry.get("message") or "")
    if task is None:
        spec_path = entry.get("spec_path")
        text = f"{message} (at {spec_path})" if spec_path else message
    else:
        path, reason = _innermost(str(task), entry.get("result"))
        if not reason.text and message != _SEE_RESULT:
            reason = reason._replace(text=message)
        text = reason.line(f"task {path} failed")
    others = len(entries) - 1
    more = f" (and {others} more error{'s' if others > 1 else ''})" if others else ""
    return Reason(None, _short(text) + more)


def _innermost(path: str, result: Any) -> tuple[str, Reason]:
    """Returns the path of the failed task in the innermost workflow, with the names of the tasks above it, and its
    reason."""
    entries = result.get("errors") if isinstance(result, Mapping) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, Mapping) and entry.get("task_id") is not None:
            return _innermost(f"{path}/{entry['task_id']}", entry.get("result"))
    return path, reason_of(result)


def _of_chain(tasks: list[Any]) -> Reason:
    failed = [task for task in tasks if isinstance(task, Mapping) and task.get("state") not in (None, "succeeded")]
    if not failed:
        return Reason()
    return Reason(None, _short(reason_of(failed[-1].get("result")).line(f"task {failed[-1].get('name')} failed")))


def _last_line(api: Api, execution_id: str, stream: str) -> str:
    """Returns the last line that an execution itself has printed to a stream."""
    query: Query = {"format": "text", "follow": "false", "stream": stream, "tail": 1, "tree": "false"}
    with api.client.stream(path_of("executions", execution_id, "output"), query=query) as output:
        return _last(b"".join(iter(output.read, b"")).decode("utf-8", "replace"))


def _last(text: Any) -> str:
    """Returns the last line of a text that is not blank."""
    lines = [line for line in text.splitlines() if line.strip()] if isinstance(text, str) else []
    return _short(lines[-1].strip()) if lines else ""


def _short(text: str) -> str:
    """Returns a text on one line, cut if it is very long."""
    line = cell(text.strip())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
