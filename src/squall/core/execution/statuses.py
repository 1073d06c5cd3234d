"""The statuses of an execution, the table of their legal changes, and the sets that follow from it.

Names and meaning are StackStorm's. This module imports no other, so the command line can load it alone.
"""

from __future__ import annotations

REQUESTED = "requested"
SCHEDULED = "scheduled"
DELAYED = "delayed"
RUNNING = "running"
SUCCEEDED = "succeeded"
FAILED = "failed"
TIMEOUT = "timeout"
ABANDONED = "abandoned"
CANCELING = "canceling"
CANCELED = "canceled"
PENDING = "pending"
PAUSING = "pausing"
PAUSED = "paused"
RESUMING = "resuming"

_ENDS = (SUCCEEDED, FAILED, TIMEOUT, CANCELED, ABANDONED)

TRANSITIONS: dict[str, frozenset[str]] = {
    REQUESTED: frozenset({SCHEDULED, DELAYED, FAILED, CANCELING, CANCELED, ABANDONED}),
    DELAYED: frozenset({REQUESTED, SCHEDULED, FAILED, CANCELING, CANCELED, ABANDONED}),
    SCHEDULED: frozenset({RUNNING, DELAYED, REQUESTED, FAILED, TIMEOUT, CANCELING, CANCELED, ABANDONED}),
    RUNNING: frozenset({PENDING, PAUSING, CANCELING, *_ENDS}),
    PENDING: frozenset({RUNNING, CANCELING, *_ENDS}),
    PAUSING: frozenset({PAUSED, RUNNING, CANCELING, *_ENDS}),
    PAUSED: frozenset({RESUMING, CANCELING, *_ENDS}),
    RESUMING: frozenset({RUNNING, PAUSING, CANCELING, *_ENDS}),
    # An execution with a request to stop can no longer succeed: only these two ends are true.
    CANCELING: frozenset({CANCELED, ABANDONED}),
    **{status: frozenset() for status in _ENDS},
}
"""The statuses that may follow each status."""

STATUSES = tuple(TRANSITIONS)
"""All statuses; the final ones come last."""

FINAL = frozenset(status for status, following in TRANSITIONS.items() if not following)

CANCELABLE = frozenset(status for status, following in TRANSITIONS.items() if CANCELING in following)
"""The statuses that can be canceled. StackStorm does not cancel a `pending` execution: only an answer ends it."""


def _reachable(status: str) -> frozenset[str]:
    """Returns a status and all statuses that can follow it, at once or later."""
    reached, waiting = {status}, [status]
    while waiting:
        following = TRANSITIONS[waiting.pop()] - reached
        reached |= following
        waiting += following
    return frozenset(reached)


STARTED = _reachable(RUNNING)
"""The statuses of executions that run or have run."""
