"""The store: units of work over the tables."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from squall.ports.tables.executions import Tx

T = TypeVar("T")


class Store(Protocol):
    """The truth: what it says survives the process.

    A unit of work is a coroutine function over `Tx` that awaits nothing but the tables. It may be called more than
    once, so it changes nothing but the tables and its own local values.
    """

    async def tx(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Runs `work` in a writing transaction and returns what it returns, when all of it is stored.

        Isolation: serializable. Writing transactions have the effect of running one after the other, so what `work`
        reads stays true until its writes are stored. Atomicity: if `work` raises, nothing of it is stored, and the
        exception is raised here. Order: who begins after this has returned sees its writes.

        Raises `UnavailableError` if the store cannot write now; the same unit of work may succeed later.
        """
        ...

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Runs `work` on one snapshot: it sees the writes of all transactions that returned before, and of none that
        is still running. It must not write. Raises `UnavailableError` as `tx` does."""
        ...

    async def close(self) -> None:
        """Waits for the units of work that are running, then closes. Later calls raise `UnavailableError`."""
        ...
