"""Time and identity."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Time and identity. Tests hold them still."""

    def now(self) -> int:
        """The time in µs since 1970, UTC. It is the wall clock: it may jump, also backwards, when it is set."""
        ...

    def new_id(self) -> str:
        """A new id: 24 hex digits that begin with the time, so that ids of one process sort by when they were made.

        Ids of several processes are unique; their order is that of the processes' clocks.
        """
        ...
