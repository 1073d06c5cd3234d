"""Stores the events of Squall itself, in the transaction of the change that they are about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from squall.core.errors import InvalidError, TooLargeError
from squall.core.event.internal.payloads import reduced
from squall.core.execution.execution import Execution
from squall.core.execution.trace import EXECUTION, rule_depth
from squall.ports import Tx
from squall.services.event.triggers.dispatching import Dispatching, Event, caused, check_size
from squall.services.event.triggers.wanted import Wanted


class Placing:
    """Stores events inside of Squall if a rule or a viewer waits for them. Call `hint` after the transaction."""

    def __init__(self, dispatching: Dispatching, wanted: Wanted) -> None:
        self._dispatching = dispatching
        self._wanted = wanted

    async def wants(self, tx: Tx, type_ref: str) -> bool:
        """Checks whether events of a type are stored."""
        return await self._wanted.wants(tx, type_ref)

    async def about(self, tx: Tx, type_ref: str, payload: Mapping[str, Any], execution: Execution) -> None:
        """Stores an event about an execution. It has the depth and the trace of the execution."""
        event = Event(
            trigger=type_ref,
            payload=payload,
            trace=await tx.traces.of_execution(execution.id) or "",
            depth=rule_depth(execution.context),
            cause=(EXECUTION, execution.id),
        )
        await self._place(tx, event)

    async def by(self, tx: Tx, type_ref: str, payload: Mapping[str, Any], execution: str) -> None:
        """Stores an event about a change that `execution` (an id; empty if it was no execution) has made."""
        await self._place(tx, await caused(tx, Event(trigger=type_ref, payload=payload, execution=execution)))

    def hint(self) -> None:
        """Publishes a hint that an event waits."""
        self._dispatching.hint()

    async def _place(self, tx: Tx, event: Event) -> None:
        trigger = await tx.triggers.get(event.trigger)
        if trigger is None:
            return
        # The change itself happens in any case, so its event is made to fit.
        try:
            check_size(event.payload)
        except (InvalidError, TooLargeError) as error:
            event = msgspec.structs.replace(event, payload=reduced(event.payload, str(error)))
        await self._dispatching.place(tx, event, trigger)
