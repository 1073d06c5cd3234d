"""The store: units of work over the tables."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from squall.ports.tables.executions import Tx

T = TypeVar("T")


class Store(Protocol):
    """The truth. A unit of work is a coroutine function over `Tx` that awaits nothing but the tables."""

    async def tx(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Runs `work` in a writing transaction: all of it is kept, or none. What `work` raises is raised here."""
        ...

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Runs `work` on one consistent view; it must not write."""
        ...

    async def close(self) -> None:
        """Ends after what is under way."""
        ...
