"""The tables of timers, of their missed fires, and of the fires that later ones may wait for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from squall.core.event.schedules.fire import Fire
from squall.core.event.schedules.misfires import Missed
from squall.core.event.timers.records import MissedFire, Timer


class TimerRows(Protocol):
    """The table of timers, one for each trigger of a timer's type, and the table of their missed fires."""

    async def put(self, timer: Timer) -> None:
        """Adds a timer, or replaces the one of the same trigger. Its trigger has its own table."""
        ...

    async def get(self, ref_or_id: str) -> Timer | None:
        """Returns a timer by the ref or id of its trigger, or by the ref of a rule that has this trigger."""
        ...

    async def load(self, trigger_ids: Sequence[str]) -> Sequence[Timer]:
        """Returns the timers of these triggers, in any order. Leaves out ids that do not exist."""
        ...

    async def delete(self, trigger_id: str) -> None:
        """Removes a timer with its missed fires and its waiting ones."""
        ...

    async def find(self, type_ref: str | None, limit: int | None, offset: int) -> Sequence[Timer]:
        """Returns a page of the timers of all types or of one, ordered by the ref of the trigger."""
        ...

    async def count(self, type_ref: str | None) -> int:
        """Returns the number of timers of all types or of one."""
        ...

    async def in_other_zones(self, zone: str, limit: int) -> Sequence[str]:
        """Returns up to `limit` ids of triggers whose next fire depends on a server's zone that is not `zone`."""
        ...

    async def miss(self, trigger_id: str, missed: Missed, now: int, since: int | None = None) -> None:
        """Adds a record of missed fires. If the timer's newest record is from after `since` (µs), the last fire that
        happens or waits, and has the same reason, that one stands for these fires, too."""
        ...

    async def missed(self, trigger_id: str, limit: int | None, offset: int) -> Sequence[MissedFire]:
        """Returns a page of a timer's missed fires, newest first."""
        ...

    async def forget(self, before: int, limit: int) -> int:
        """Removes up to `limit` records of missed fires that were written before `before` (µs). Returns their
        number."""
        ...


class FireRows(Protocol):
    """The fires of timers whose fires must not overlap: those that run, and those that wait for them.

    A fire runs until its instance is evaluated and the executions that it started have ended.
    """

    async def begin(self, trigger_id: str, nominal: int, instance_id: str) -> None:
        """Notes that the fire at `nominal` (µs) has its instance and runs. It waits no more."""
        ...

    async def running(self, trigger_id: str) -> Sequence[tuple[str, bool]]:
        """Returns the ids of the instances of fires that run, oldest first, each with True if it is still to be
        evaluated. Forgets those that have ended."""
        ...

    async def wait(self, trigger_id: str, fire: Fire) -> None:
        """Adds a fire that waits."""
        ...

    async def waiting(self, trigger_id: str) -> Sequence[Fire]:
        """Returns the fires that wait, oldest first."""
        ...

    async def drop(self, trigger_id: str, nominal: int) -> None:
        """Removes a fire that waits."""
        ...

    async def entered(self, execution_id: str, instance_id: str) -> None:
        """Notes that an instance has started an execution, if it is that of a fire that runs."""
        ...

    async def ended(self, execution_id: str) -> str | None:
        """Notes the end of an execution. Returns the id of its timer's trigger, if fires wait for it."""
        ...

    async def executions(self, trigger_id: str) -> Sequence[str]:
        """Returns the ids of the executions of a timer's fires that have not ended."""
        ...
