"""Stores events about executions: new statuses, inquiries, and rows for the notifications that ended ones send."""

from __future__ import annotations

from collections.abc import Collection

from squall.core.event.internal.notifications import parts_of
from squall.core.event.internal.payloads import (
    ACTION,
    INQUIRY,
    NOTIFY,
    action_payload,
    inquiry_payload,
    is_inquiry,
)
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution
from squall.ports import Tx
from squall.services.event.internal.placing import Placing
from squall.services.execution.transitions import Transitions
from squall.services.lanes import AT_ONCE, NOTIFICATIONS, RULES


class ExecutionEvents:
    """The `Follower` that stores events about executions. `emit_when` are the statuses that the action trigger tells
    of."""

    def __init__(self, placing: Placing, emit_when: Collection[str]) -> None:
        self._placing = placing
        self._emit_when = frozenset(emit_when)

    async def moved(self, tx: Tx, execution: Execution, transitions: Transitions, now: int) -> None:
        """Stores the events of a new status that a rule or a viewer waits for."""
        if execution.status in self._emit_when and await self._placing.wants(tx, ACTION):
            await self._placing.about(tx, ACTION, action_payload(execution), execution)
            transitions.hint_later(RULES, "")
        if execution.status == ex.PENDING and is_inquiry(execution) and await self._placing.wants(tx, INQUIRY):
            await self._placing.about(tx, INQUIRY, inquiry_payload(execution), execution)
            transitions.hint_later(RULES, "")
        if execution.notify and parts_of(execution) and await self._placing.wants(tx, NOTIFY):
            # Its texts are templates, which are not rendered in a transaction.
            await tx.queue.put(NOTIFICATIONS, execution.id, None, AT_ONCE)
            transitions.hint_later(NOTIFICATIONS, "")
