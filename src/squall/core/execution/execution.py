"""An execution, and the only function that changes its status, as the table in `statuses` allows.

The database row is the execution; its `log` holds all of its statuses so far.
"""

from __future__ import annotations

from typing import Any

import msgspec

from squall.core.access.secret import sealed_form
from squall.core.errors import ConflictError
from squall.core.event.events import EXECUTION, Change
from squall.core.execution.statuses import ABANDONED as ABANDONED
from squall.core.execution.statuses import CANCELABLE as CANCELABLE
from squall.core.execution.statuses import CANCELED as CANCELED
from squall.core.execution.statuses import CANCELING as CANCELING
from squall.core.execution.statuses import DELAYED as DELAYED
from squall.core.execution.statuses import FAILED as FAILED
from squall.core.execution.statuses import FINAL as FINAL
from squall.core.execution.statuses import PAUSED as PAUSED
from squall.core.execution.statuses import PAUSING as PAUSING
from squall.core.execution.statuses import PENDING as PENDING
from squall.core.execution.statuses import REQUESTED as REQUESTED
from squall.core.execution.statuses import RESUMING as RESUMING
from squall.core.execution.statuses import RUNNING as RUNNING
from squall.core.execution.statuses import SCHEDULED as SCHEDULED
from squall.core.execution.statuses import STARTED as STARTED
from squall.core.execution.statuses import SUCCEEDED as SUCCEEDED
from squall.core.execution.statuses import TIMEOUT as TIMEOUT
from squall.core.execution.statuses import TRANSITIONS as TRANSITIONS
from squall.core.execution.terms import Term

COMPLETED_AS = "completed_as"
"""The key in a context for the final status that a client has set for an execution. The row has the result already. The
execution takes the status when its process has been stopped, or instead of starting one."""

RESPONDED_BY = "responded_by"
"""The key in a context for the user who responded to the inquiry."""

COMPLETED_BY = "completed_by"
"""The key in a context for the user who completed the execution."""

PAUSED_BY = "paused_by"
"""The key in a context for the user who paused the workflow or chain."""

RESUMED_BY = "resumed_by"
"""The key in a context for the user who resumed it; a later pause removes it."""

WORKER = ("hostname", "pid")
"""The fields of `runner_info` that name the worker of an execution; the other fields are its usage."""


class LogEntry(msgspec.Struct, frozen=True, array_like=True):
    """One status of the execution, and the time at which it took it (µs)."""

    at: int
    status: str


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """The rule and the event that led to an execution: the names of the rule, the trigger and the trigger's type, and
    the id of the trigger instance. `documents` is the key of their documents of that time."""

    rule: str
    trigger: str
    trigger_type: str
    trigger_instance: str
    documents: str


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one action. Times are µs since 1970, UTC; secret parameters are sealed envelopes (`core.secret`).

    `tree` is the id of the root execution, which names the journal. `snapshot` is the content hash of the action and
    runner type as they were at the request. `attempt` counts launches. `notify` says who is notified of its end.
    `origin` is None if no rule requested it.
    """

    id: str
    tree: str
    action: str
    runner: str
    status: str
    user: str
    snapshot: str
    start: int
    parent: str | None = None
    end: int | None = None
    delay: int | None = None
    attempt: int = 0
    parameters: dict[str, Any] = {}
    context: dict[str, Any] = {}
    runner_info: dict[str, Any] = {}
    notify: dict[str, Any] = {}
    origin: Origin | None = None
    result: Any = None
    result_size: int = 0
    log: tuple[LogEntry, ...] = ()


SORTED = frozenset({"id", "action", "runner", "status", "user", "parent", "start"})
"""The attributes that lists can be ordered by."""


class ExecutionFilter(msgspec.Struct, frozen=True, kw_only=True):
    """The filter and order of a list of executions. `None` selects all; `parent=""` selects those without a parent,
    `rule=""` those that no rule requested, and so on.

    `rule`, `trigger` and `trigger_type` are names without a pack. `after_us` and `before_us` bound `start` (exclusive);
    all `terms` must hold. `order` names attributes of `SORTED`, each with a flag for descending order; then
    `newest_first` orders by `start`, then by id.
    """

    action: str | None = None
    status: str | None = None
    user: str | None = None
    runner: str | None = None
    rule: str | None = None
    trigger: str | None = None
    trigger_type: str | None = None
    trigger_instance: str | None = None
    parent: str | None = None
    tree: str | None = None
    ids: tuple[str, ...] | None = None
    after_us: int | None = None
    before_us: int | None = None
    terms: tuple[Term, ...] = ()
    order: tuple[tuple[str, bool], ...] = ()
    newest_first: bool = True


def transition(execution: Execution, status: str, at: int) -> Execution:
    """Returns the execution with its next `status`, taken at `at` (µs). A final status also sets the end.

    Raises `ConflictError` if `TRANSITIONS` does not allow the change: final statuses never change again.
    """
    if status not in TRANSITIONS[execution.status]:
        raise ConflictError(f'Execution "{execution.id}" is {execution.status} and cannot become {status}.')
    at = max(at, execution.log[-1].at if execution.log else execution.start)
    return msgspec.structs.replace(
        execution,
        status=status,
        log=(*execution.log, LogEntry(at, status)),
        end=at if status in FINAL else None,
        attempt=execution.attempt + (status == RUNNING),
    )


def encoded_size(result: Any) -> int:
    """The size in bytes of a result as JSON."""
    return len(msgspec.json.encode(result, enc_hook=sealed_form))


def holds_sealed(document: Any) -> bool:
    """Whether a sealed value stands anywhere in a document: the encoder knows none, and is much faster than a walk."""
    try:
        msgspec.json.encode(document)
    except TypeError:
        return True
    return False


def with_result(execution: Execution, result: Any, encoded_size: int) -> Execution:
    """Returns the execution with its `result` (any JSON value) and that value's size in bytes as JSON."""
    return msgspec.structs.replace(execution, result=result, result_size=encoded_size)


def stays_paused(execution: Execution) -> bool:
    """Checks whether a user has paused a workflow or chain and no user has resumed it since: then it does not resume by
    itself when its children go on."""
    return PAUSED_BY in execution.context and RESUMED_BY not in execution.context


def as_of(execution: Execution, status: str) -> Execution:
    """Returns the execution as it was when it first took `status`: without its later log entries, end and result.

    Events are built from the row this way, so an event row needs to hold only the change.
    """
    if execution.status == status:
        return execution
    for index, entry in enumerate(execution.log):
        if entry.status == status:
            return _cut(execution, status, execution.log[: index + 1])
    return execution


def _cut(execution: Execution, status: str, log: tuple[LogEntry, ...]) -> Execution:
    """Returns an execution without the fields that came after this log: its end, the canceling user, its usage and its
    worker."""
    statuses = {entry.status for entry in log}
    context = execution.context
    if not statuses & {CANCELING, CANCELED}:
        context = {key: value for key, value in context.items() if key != "cancelled_by"}
    return msgspec.structs.replace(
        execution,
        status=status,
        log=log,
        end=None,
        result=None,
        result_size=0,
        context=context,
        runner_info={
            key: value for key, value in execution.runner_info.items() if key in WORKER and RUNNING in statuses
        },
    )


def change_of(execution: Execution, name: str, at: int) -> Change:
    """Returns the event `name` of an execution that got its present status at `at` (µs)."""
    return Change(kind=EXECUTION, name=name, resource=execution.id, at=at, tree=execution.tree, status=execution.status)
