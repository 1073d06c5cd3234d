"""The events of resources: their rows, and their names in StackStorm's event stream."""

from __future__ import annotations

import fnmatch
from typing import Any

import msgspec

EXECUTION = "execution"
"""The kind of events about executions. They have no document: the sender reads the execution that the event names."""

ANNOUNCEMENT = "announcement"
"""The kind of announcements: the resource is the announcing execution, the document is the message for listeners."""

TRIGGER_INSTANCE = "trigger_instance"
"""The kind of events about trigger instances. They have no document: the sender reads the instance."""

RULE = "rule"
RULE_ENFORCEMENT = "rule_enforcement"

FREQUENT = (TRIGGER_INSTANCE, RULE_ENFORCEMENT)
"""The kinds of which a flood of events writes many rows. They are counted apart from all others, so that they never
push out rows about executions."""

FREQUENT_NAMES = tuple(f"st2.{kind}__{what}" for kind in FREQUENT for what in ("create", "update", "delete"))
"""The names of events of the kinds in `FREQUENT`."""

EXECUTION_CREATE = "st2.execution__create"
EXECUTION_UPDATE = "st2.execution__update"
EXECUTION_DELETE = "st2.execution__delete"
LIVEACTION_CREATE = "st2.liveaction__create"
LIVEACTION_UPDATE = "st2.liveaction__update"
OUTPUT_CREATE = "st2.execution.output__create"
EOF = "EOF"
GAP = "gap"
PROGRESS = "progress"

# A client that names no events gets these. As on StackStorm's stream, a client must request output by name.
DEFAULT_PATTERNS = (
    "st2.announcement__*",
    EXECUTION_CREATE,
    EXECUTION_UPDATE,
    EXECUTION_DELETE,
    LIVEACTION_CREATE,
    LIVEACTION_UPDATE,
    "st2.liveaction__delete",
)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a resource at `at` (µs since 1970).

    `kind` is the resource's kind, `resource` its id. `name` is the name of the event (`st2.execution__update`). `tree`
    and `status` are those of an execution at that time; they are empty for other resources.
    """

    kind: str
    name: str
    resource: str
    at: int
    tree: str = ""
    status: str = ""


class Event(Change, frozen=True, kw_only=True):
    """A change as a row of the event table, written in the change's own transaction. Row numbers (`id`) increase.

    The row may have a document, the JSON that clients get (`ports.EventRows.document`). A row without one refers to the
    resource in its own table.
    """

    id: int


class Announcement(msgspec.Struct, frozen=True):
    """A message from an execution to all listeners of the event stream: any JSON value, under a `route`."""

    route: str
    payload: Any

    def change(self, execution_id: str, tree: str, at: int) -> Change:
        """Returns the event `st2.announcement__<route>` of the execution that announced it."""
        return Change(
            kind=ANNOUNCEMENT, name=f"st2.announcement__{self.route}", resource=execution_id, at=at, tree=tree
        )

    def document(self, context: dict[str, Any]) -> bytes:
        """Returns the message for listeners, as JSON. `context` is that of the execution; the message has its trace."""
        return msgspec.json.encode({"payload": self.payload, "trace_context": context.get("trace_context")})


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Checks whether one of the `patterns` (exact names or shell globs) matches the event `name`."""
    return any(name == pattern or fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
