"""Time and identity."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """The source of time and ids. Tests use one that stands still."""

    def now(self) -> int:
        """Returns the time in µs since 1970, UTC. It is the wall clock: it may jump, also backwards, when it is set."""
        ...

    def new_id(self) -> str:
        """Returns a new id: 24 hex digits that begin with the time, so that the ids of one process sort by their time.

        Ids of several processes are unique; their order is that of the processes' clocks.
        """
        ...
