"""A store whose threads have the marks of those for whom they work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import TypeVar

from squall.ports import Marks, Store, Tx

T = TypeVar("T")


class MarkedStore:
    """`ports.Store` over another one that runs each unit of work on a thread without a pause."""

    def __init__(self, store: Store, marks: Marks) -> None:
        self._store = store
        self._marks = marks

    async def tx(self, work: Callable[[Tx], Awaitable[T]], *, durable: bool = True) -> T:
        """Runs `work` in a writing transaction."""
        return await self._store.tx(self._marked(work), durable=durable)

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Runs `work` on one snapshot."""
        return await self._store.read(self._marked(work))

    async def close(self) -> None:
        """Closes the store."""
        await self._store.close()

    def _marked(self, work: Callable[[Tx], Awaitable[T]]) -> Callable[[Tx], Awaitable[T]]:
        context = self._marks.carried()

        async def marked(tx: Tx) -> T:
            with context:
                return await work(tx)

        return work if isinstance(context, nullcontext) else marked
