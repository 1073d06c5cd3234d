"""A server with a planted fault, to see that histories show it: `planted.py NAME serve …` is `squall serve …`.

Each fault is one that real systems have had. Functions of Squall are replaced when the server starts.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any


def answer_before_commit(caller: str) -> None:
    """A use case whose name begins with `caller` gets what its transaction has made before this is committed."""
    from squall.adapters.marks.store import MarkedStore

    committed: Callable[..., Coroutine[Any, Any, Any]] = MarkedStore.tx
    running: set[asyncio.Task[Any]] = set()

    async def tx(store: Any, work: Callable[[Any], Awaitable[Any]], *, durable: bool = True) -> Any:
        if not getattr(work, "__qualname__", "").startswith(caller):
            return await committed(store, work, durable=durable)
        loop = asyncio.get_running_loop()
        early = loop.create_future()

        async def telling(rows: Any) -> Any:
            made = await work(rows)
            loop.call_soon_threadsafe(early.set_result, made)
            return made

        task: asyncio.Task[Any] = loop.create_task(committed(store, telling, durable=durable))
        running.add(task)
        task.add_done_callback(running.discard)
        await asyncio.wait([task, early], return_when=asyncio.FIRST_COMPLETED)
        return early.result() if early.done() else task.result()

    MarkedStore.tx = tx  # type: ignore[method-assign,assignment]


def read_old_states() -> None:
    """An execution is read from a cache that knows nothing of changes in the last 300 ms."""
    from squall.services.execution.executions import Executions

    real: Callable[..., Awaitable[Any]] = Executions.get
    cache: dict[tuple[str, bool], tuple[float, Any]] = {}

    async def get(executions: Any, execution_id: str, with_result: bool = True) -> Any:
        key = (execution_id, with_result)
        if key not in cache or time.monotonic() - cache[key][0] > 0.3:
            cache[key] = (time.monotonic(), await real(executions, execution_id, with_result))
        return cache[key][1]

    Executions.get = get  # type: ignore[method-assign,assignment]


def accept_twice() -> None:
    """One in twenty requests makes two executions, as a retry without a key does."""
    from squall.services.execution.executions import Executions

    real: Callable[..., Awaitable[Any]] = Executions.start
    count = 0

    async def start(executions: Any, prepared: Any) -> Any:
        nonlocal count
        count += 1
        if count % 20 == 0:
            await real(executions, prepared)
        return await real(executions, prepared)

    Executions.start = start  # type: ignore[method-assign,assignment]


PLANTS: dict[str, Callable[[], None]] = {
    "accepted-before-commit": lambda: answer_before_commit("Executions.start."),
    "canceled-before-commit": lambda: answer_before_commit("Control.cancel."),
    "reads-of-old-states": read_old_states,
    "accepted-twice": accept_twice,
}


def program(plant: str) -> list[str]:
    """Returns the words that run `squall` with this fault."""
    return [sys.executable, str(Path(__file__)), plant]


def main() -> None:
    """Plants the fault that the first word names, and runs `squall` with the others."""
    PLANTS[sys.argv.pop(1)]()
    from squall.__main__ import main as squall

    sys.exit(squall())


if __name__ == "__main__":
    main()
