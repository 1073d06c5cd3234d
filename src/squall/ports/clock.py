"""Time and identity."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Time and identity, so that tests may hold them still."""

    def now(self) -> int:
        """µs since 1970, UTC."""
        ...

    def new_id(self) -> str:
        """A new id: 24 hex digits, ordered by time."""
        ...
