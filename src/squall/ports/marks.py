"""Marks: what the server works on at each instant. They outlive the process, so the next one knows what ended it."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Marks(Protocol):
    """The marks of a server and of the one before it. A mark is a name of at most 127 bytes."""

    def left(self) -> Sequence[str]:
        """Returns what the previous process was working on when it ended; empty if it ended properly."""
        ...

    def forget(self) -> None:
        """Forgets what the previous process left."""
        ...

    def watched(self, name: str, work: Coroutine[Any, Any, T]) -> Awaitable[T]:
        """Runs `work` with a mark of `name` while its code runs. While it waits there is no mark."""
        ...

    def on_thread(self, name: str) -> AbstractContextManager[None]:
        """Returns a context for a thread, in which it has a mark of `name`."""
        ...

    def carried(self) -> AbstractContextManager[None]:
        """Returns a context for a thread, in which it has a mark of what the event loop works on now."""
        ...
