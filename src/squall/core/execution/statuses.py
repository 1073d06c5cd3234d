"""The statuses of an execution, by their names. They are StackStorm's. The command line reads them here, as this module
needs no other."""

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

FINAL = frozenset({SUCCEEDED, FAILED, TIMEOUT, CANCELED, ABANDONED})

STATUSES = (
    REQUESTED, DELAYED, SCHEDULED, RUNNING, PENDING, PAUSING, PAUSED, RESUMING, CANCELING,
    SUCCEEDED, FAILED, TIMEOUT, CANCELED, ABANDONED,
)  # fmt: skip
"""All of them, those that end an execution last."""
