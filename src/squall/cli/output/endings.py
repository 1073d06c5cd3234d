"""The closing line of an execution: its status, and for a failure the exit code, the last line of stderr, the task."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from itertools import dropwhile
from typing import Any, NamedTuple

from squall.cli.terminal.table import cell, duration
from squall.client.api import Api
from squall.client.http import JsonObject, Query
from squall.client.paths import path_of
from squall.core.errors import SquallError

_LONGEST = 500
_PARTS = ("error", "errors", "tasks", "return_code", "exit_code", "status_code")
_LAST_LINES = 20
"""The last lines of a stream that are searched for one with text."""
_CAUSES = ("error", "message", "reason", "detail", "faultstring")
"""The names of a returned object under which its cause may be."""
_CONNECT_ERRORS = "connect_errors="
"""What precedes the errors of hosts, as JSON, if no host could be reached."""
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
        result = document.get("result")
        reason = reason_of(result)
        if not reason.text and isinstance(result, Mapping) and result.get("exit_code") == 0:
            # A Python action that returned a failure. Other results are not fetched, because they may be large.
            reason = reason_of(api.execution(execution_id, only="result.result,result.exit_code").get("result"))
        if not reason.text and (reason.code is not None or _has_ended_well(result)):
            # On a terminal, stdout has both streams.
            one_stream = (document.get("parameters") or {}).get("pty") is True
            text = _end_of_output(api, execution_id, "stdout" if one_stream else "stderr")
            is_python = isinstance(result, Mapping) and "exit_code" in result
            reason = reason._replace(text=_last_of_python(text) if is_python else _last(text))
        if reason == Reason() and _has_ended_well(result):
            return Reason(None, "the action reported a failure without a reason")
    except SquallError:
        return Reason()
    return reason


def reason_of(result: Any) -> Reason:
    """Returns the reason in the result of an action, a workflow, a chain, or an action on several hosts."""
    if not isinstance(result, Mapping):
        return Reason()
    code = next((result[name] for name in ("return_code", "exit_code") if isinstance(result.get(name), int)), None)
    if isinstance(result.get("error"), str) and result["error"].strip():
        return Reason(code or None, _short(_without_hosts(result["error"])))
    if isinstance(result.get("errors"), list) and result["errors"]:
        return _of_workflow(result["errors"])
    if isinstance(result.get("tasks"), list):
        return _of_chain(result["tasks"])
    if code is not None:
        returned = _returned(result.get("result")) if result.get("exit_code") == 0 else ""
        last = _last_of_python if isinstance(result.get("exit_code"), int) else _last
        return Reason(code or None, returned or last(result.get("stderr")))
    if isinstance(result.get("status_code"), int):
        return Reason(None, _status_text(result["status_code"]))
    for host, part in result.items():
        if isinstance(part, Mapping) and part.get("failed") is True:
            return Reason(None, _short(reason_of(part).line(f"{host} failed")))
    return Reason()


def _has_ended_well(result: Any) -> bool:
    """Checks whether the process of a failed execution ended with exit code 0, so that only its output may have a
    reason."""
    return isinstance(result, Mapping) and any(result.get(name) == 0 for name in ("return_code", "exit_code"))


def _returned(value: Any) -> str:
    """Returns the cause in the value that a Python action returned with its failure; "" if it returned none."""
    if isinstance(value, Mapping):
        causes = (value.get(name) for name in _CAUSES)
        value = next((cause for cause in causes if isinstance(cause, str) and cause.strip()), value)
    if value is None or value in ("", {}, []):
        return ""
    return _short(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _status_text(status: int) -> str:
    """Returns the status of an HTTP response with its phrase, such as `HTTP 404 Not Found`."""
    try:
        return f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"


def _without_hosts(error: str) -> str:
    """Returns an error about hosts that cannot be reached with the error of the first host in place of all errors."""
    text, mark, errors = error.partition(_CONNECT_ERRORS)
    if not mark:
        return error
    try:
        hosts = [part for part in json.loads(errors).values() if isinstance(part, Mapping) and part.get("error")]
    except (ValueError, AttributeError):
        return text
    others = f" (and {len(hosts) - 1} more host{'s' if len(hosts) > 2 else ''})" if len(hosts) > 1 else ""
    return f"{hosts[0]['error']}{others}" if hosts else text


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
    elif task == "fail" and not isinstance(entry.get("result"), Mapping):
        text = 'the workflow ran its command "fail"'
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


def _end_of_output(api: Api, execution_id: str, stream: str) -> str:
    """Returns the last lines that an execution itself has printed to a stream."""
    query: Query = {"format": "text", "follow": "false", "stream": stream, "tail": _LAST_LINES, "tree": "false"}
    with api.client.stream(path_of("executions", execution_id, "output"), query=query) as output:
        return b"".join(iter(output.read, b"")).decode("utf-8", "replace")


def _last_of_python(text: Any) -> str:
    """Returns the message of the last traceback in the output of a Python action, which may have several lines; without
    a traceback the last line."""
    lines = text.splitlines() if isinstance(text, str) else []
    frames = [at for at, line in enumerate(lines) if line.startswith('  File "')]
    behind = lines[frames[-1] + 1 :] if frames else []
    message = " ".join(dropwhile(lambda line: line.startswith("    ") or not line.strip(), behind))
    return _short(message) if message.strip() else _last(text)


def _last(text: Any) -> str:
    """Returns the last line of a text that is not blank. A stream that is JSON as a whole stands as its value in
    results."""
    text = "" if text is None else text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)
    lines = [line for line in text.splitlines() if line.strip()]
    return _short(lines[-1].strip()) if lines else ""


def _short(text: str) -> str:
    """Returns a text on one line, cut if it is very long."""
    line = cell(text.strip())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
