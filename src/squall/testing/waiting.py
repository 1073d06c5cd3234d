"""The one way in which tests and contract suites wait for something that nothing tells them: they look again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

PATIENCE = 60.0
"""Seconds until a wait fails: far beyond what anything takes that works, on a machine that is busy with other work."""


def until(reached: Callable[[], Any], what: str, within: float = PATIENCE, pause: float = 0.005) -> Any:
    """Calls `reached` until it returns something true, and returns that.

    `pause` is the time between two calls in seconds; 0 takes the whole processor and misses no moment. Raises
    `AssertionError` with the words `what` after `within` seconds.
    """
    deadline = time.monotonic() + within
    while not (value := reached()):
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {within} seconds: {what}")
        if pause:
            time.sleep(pause)
    return value


async def eventually(reached: Callable[[], Any], what: str, within: float = PATIENCE) -> Any:
    """Does what `until` does, and lets the event loop go on between two calls.

    `reached` may return an awaitable; then its result counts.
    """
    deadline = time.monotonic() + within
    while True:
        value = reached()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {within} seconds: {what}")
        await asyncio.sleep(0.002)


async def turns(count: int = 20) -> None:
    """Lets every task of the event loop run up to `count` times; work on other threads is not waited for."""
    for _ in range(count):
        await asyncio.sleep(0)


async def called(owner: Any, name: str, count: int = 3) -> None:
    """Waits until the coroutine method `name` of `owner` has been called, and has returned, `count` times from now on.

    What asks again and again has then seen all that was there before, so that a test may say what did not happen.
    Raises `AssertionError` after `PATIENCE` seconds.
    """
    method = getattr(owner, name)
    returned = 0

    async def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal returned
        value = await method(*arguments, **options)
        returned += 1
        return value

    setattr(owner, name, counted)
    try:
        await eventually(lambda: returned >= count, f"{name} is called {count} times")
    finally:
        delattr(owner, name)
