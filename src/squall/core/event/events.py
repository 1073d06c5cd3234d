"""The events of resources: the rows they are kept as, and the names that StackStorm's event stream gave them."""

from __future__ import annotations

import fnmatch
from typing import Any

import msgspec

EXECUTION = "execution"
"""The kind of events about executions. They have no document: who sends one reads the execution it refers to."""

ANNOUNCEMENT = "announcement"
"""The kind of announcements: the resource is the execution that made it, the document is what listeners get."""

EXECUTION_CREATE = "st2.execution__create"
EXECUTION_UPDATE = "st2.execution__update"
EXECUTION_DELETE = "st2.execution__delete"
LIVEACTION_CREATE = "st2.liveaction__create"
LIVEACTION_UPDATE = "st2.liveaction__update"
OUTPUT_CREATE = "st2.execution.output__create"
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


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to a resource at `at` (µs since 1970).

    `kind` is the resource's kind, `resource` its id. `name` says what happened, in the words of the event stream
    (`st2.execution__update`). `tree` and `status` are those of an execution at that time; they are empty for others.
    """

    kind: str
    name: str
    resource: str
    at: int
    tree: str = ""
    status: str = ""


class Event(Change, frozen=True, kw_only=True):
    """A change as a row of the event table, written in the change's own transaction. Rows (`id`) count up.

    The row may have a document beside it, the JSON that clients get (`ports.EventRows.document`). Without one it refers
    to the resource as it is in its own table.
    """

    id: int


class Announcement(msgspec.Struct, frozen=True):
    """What an execution tells everybody who listens to the event stream: any JSON value, under a `route`."""

    route: str
    payload: Any

    def change(self, execution_id: str, tree: str, at: int) -> Change:
        """Returns the event `st2.announcement__<route>` of the execution that announced it."""
        return Change(
            kind=ANNOUNCEMENT, name=f"st2.announcement__{self.route}", resource=execution_id, at=at, tree=tree
        )

    def document(self, context: dict[str, Any]) -> bytes:
        """Returns what listeners get, as JSON. `context` is that of the execution; its trace goes along."""
        return msgspec.json.encode({"payload": self.payload, "trace_context": context.get("trace_context")})


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether an event `name` is asked for by one of `patterns` (exact names or shell globs)."""
    return any(name == pattern or fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
