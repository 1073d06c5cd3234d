"""The queue's lanes, and the topics of hints."""

from __future__ import annotations

RUN = "run"
"""The lane of executions that a worker is to run."""

JOURNAL = "journal"
"""The lane of status changes that are to be copied into a tree's journal."""

CANCEL = "cancel"
"""The topic of executions whose processes are to be ended."""

CHANGED = "changed"
"""The topic of trees of which something has changed."""

ADVANCE = "advance"
"""The lane of workflows: what has happened to them or to their children, and what was asked of them."""
