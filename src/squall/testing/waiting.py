"""The only way in which tests and contract suites wait for a condition without a notification: by polling."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

PATIENCE = 60.0
"""The seconds until a wait fails: far more than any working code takes, even on a busy machine."""


def until(reached: Callable[[], Any], what: str, within: float = PATIENCE, pause: float = 0.005) -> Any:
    """Calls `reached` until it returns a true value, and returns that value.

    `pause` is the time between two calls in seconds; 0 keeps a processor busy and misses no moment. Raises
    `AssertionError` with the text `what` after `within` seconds.
    """
    deadline = time.monotonic() + within
    while not (value := reached()):
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {within} seconds: {what}")
        if pause:
            time.sleep(pause)
    return value


async def eventually(reached: Callable[[], Any], what: str, within: float = PATIENCE) -> Any:
    """Works like `until`, but lets the event loop run between two calls.

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
    """Lets every task of the event loop run up to `count` times. It does not wait for work on other threads."""
    for _ in range(count):
        await asyncio.sleep(0)


async def called(owner: Any, name: str, count: int = 3) -> None:
    """Waits until the coroutine method `name` of `owner` has been called and has returned `count` times from now on.

    A polling loop has then seen every earlier change, so that a test can assert that something did not happen. Raises
    `AssertionError` after `PATIENCE` seconds.
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
