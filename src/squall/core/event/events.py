"""What the event stream tells: the names StackStorm gave its events and the row an event is kept as."""

from __future__ import annotations

import fnmatch

import msgspec

EXECUTION_CREATE = "st2.execution__create"
EXECUTION_UPDATE = "st2.execution__update"
EXECUTION_DELETE = "st2.execution__delete"
LIVEACTION_CREATE = "st2.liveaction__create"
LIVEACTION_UPDATE = "st2.liveaction__update"
OUTPUT_CREATE = "st2.execution.output__create"
ANNOUNCEMENT = "st2.announcement__"
EOF = "EOF"
GAP = "gap"
PROGRESS = "progress"

# A client that names no events gets these; output must be asked for (as on StackStorm's stream).
DEFAULT_PATTERNS = (
    "st2.announcement__*",
    EXECUTION_CREATE,
    EXECUTION_UPDATE,
    EXECUTION_DELETE,
    LIVEACTION_CREATE,
    LIVEACTION_UPDATE,
    "st2.liveaction__delete",
)


class Event(msgspec.Struct, frozen=True):
    """One change, as the row written in the change's own transaction: `id` counts up, `at` is µs since 1970."""

    id: int
    name: str
    execution: str
    tree: str
    status: str
    at: int


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether an event `name` is asked for by one of `patterns` (exact names or shell globs)."""
    return any(name == pattern or fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
