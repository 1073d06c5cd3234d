"""Free slots of this process's worker, for executions that are claimed by the transaction that creates them.

Otherwise a worker claims a new execution in a second transaction. The row that a crash leaves is the same in both
cases: another worker adopts the execution when the lease has expired.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import msgspec

from squall.core.errors import InvalidError
from squall.core.execution.execution import Execution
from squall.ports import Due


class Claimed(NamedTuple):
    """A claimed execution: its queue row, the execution, and the row of its `running` event."""

    task: Due
    execution: Execution
    row: int


class Claimer(msgspec.Struct, frozen=True):
    """The worker in whose name a transaction claims. `lease` is in µs; `info` (host name and pid) is stored with the
    execution."""

    owner: str
    lease: int
    info: dict[str, Any]


class Reservation:
    """The reserved slots of one transaction, and the executions that it has claimed for them."""

    def __init__(self, claimer: Claimer, count: int) -> None:
        self.claimer = claimer
        self.count = count
        self.claimed: list[Claimed] = []

    def begin(self) -> None:
        """Forgets all claims. A transaction calls it first, because the store may run a transaction again."""
        self.claimed.clear()

    @property
    def has_room(self) -> bool:
        """True if one more execution can be claimed."""
        return len(self.claimed) < self.count


class ReservableSlots(Protocol):
    """The slots of a worker. It reserves some for a transaction, and starts what was claimed for them."""

    def reserve(self, most: int) -> Reservation:
        """Reserves up to `most` free slots. Reserves none while queued executions wait for slots."""
        ...

    def settle(self, reservation: Reservation, committed: bool | None) -> None:
        """Ends a reservation: starts the claimed executions if their transaction was committed, and frees the rest. If
        `committed` is None, the transaction may have been committed: then gives its claims back."""
        ...


class NoSlots:
    """A process without a worker: nothing is claimed when it is created."""

    def reserve(self, most: int) -> Reservation:
        """Reserves nothing."""
        del most
        return Reservation(Claimer("", 0, {}), 0)

    def settle(self, reservation: Reservation, committed: bool | None) -> None:
        """Has nothing to start."""


class Starting:
    """Reserves slots of this process's worker for transactions. The worker sets `slots` when it begins to work."""

    def __init__(self) -> None:
        self.slots: ReservableSlots = NoSlots()

    @contextmanager
    def reserved(self, most: int) -> Iterator[Reservation]:
        """Reserves up to `most` slots for one transaction. If the body ends without an exception, the transaction was
        committed, and the claimed executions are started.

        After an exception, or if the task is cancelled, nothing is started here, because the transaction may have
        failed. If it was committed all the same, the claims are given back, so that a worker takes the executions.
        """
        slots = self.slots
        reservation = slots.reserve(most)
        try:
            yield reservation
        except InvalidError:
            # The body refused the request, so the store rolled everything back.
            slots.settle(reservation, committed=False)
            raise
        except BaseException:
            slots.settle(reservation, committed=None)
            raise
        slots.settle(reservation, committed=True)
