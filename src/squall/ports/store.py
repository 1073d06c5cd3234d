"""The store: units of work over the tables."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from squall.ports.tables.executions import Tx

T = TypeVar("T")


class Store(Protocol):
    """The durable store: its data survives the process.

    A unit of work is a coroutine function over `Tx` that awaits only the tables. The store may call it more than once,
    so it changes only the tables and its own local values.
    """

    async def tx(self, work: Callable[[Tx], Awaitable[T]], *, durable: bool = True) -> T:
        """Runs `work` in a writing transaction. Returns its value after all of its writes are stored.

        Without `durable`, a loss of power may take the writes, together with all later ones, until a durable
        transaction has returned. That is for claims and leases of the queue: nobody sees them, and they are repeated.
        A transaction that adds an event must be durable, because readers see its row, and a number that was lost would
        be given to another event.

        Isolation: serializable. Writing transactions have the effect of running one after the other, so the rows that
        `work` reads stay unchanged until its writes are stored. Atomicity: if `work` raises, none of its writes is
        stored, and the exception is raised here. Order: a transaction that begins after this has returned sees its
        writes.

        Raises `UnavailableError` if the store cannot write now; the same unit of work may succeed later.
        """
        ...

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Runs `work` on one snapshot: it sees the writes of all transactions that returned before, and of no running
        one. It must not write. Raises `UnavailableError` as `tx` does."""
        ...

    async def close(self) -> None:
        """Waits for the running units of work, then closes the store. Later calls raise `UnavailableError`."""
        ...
