"""Running processes, and the ways of running actions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from squall.core.execution.launch import End, Job, LaunchSpec, Outcome
from squall.core.output.journal import ServerRecord


class Launcher(Protocol):
    """Runs processes and is the one writer of their trees' journals."""

    async def spawn(self, spec: LaunchSpec) -> None:
        """Starts it; idempotent by (execution, attempt). That it cannot be started is an `End`, not an exception."""
        ...

    async def ended(self, execution: str) -> End:
        """Waits for the end: all output is committed and flushed by then."""
        ...

    async def result(self, end: End) -> bytes:
        """What the process wrote as its result; empty when there is none, or it has been acknowledged."""
        ...

    async def add_secrets(self, execution: str, secrets: Sequence[bytes]) -> None:
        """Masks these values in the execution's output from now on; they are when this returns."""
        ...

    def waiting(self, execution: str) -> str:
        """What a running execution waits for, for people to read; empty if for nothing."""
        ...

    async def acknowledge(self, execution: str) -> None:
        """The end has been taken care of and may be forgotten."""
        ...

    def held(self) -> Sequence[tuple[str, int]]:
        """What is running, or has ended without having been acknowledged: (execution, attempt) of each. It may have
        been started by a server before this one."""
        ...

    async def cancel(self, execution: str) -> None:
        """Kills the process with all its descendants in its session: TERM, then KILL. Nothing if it is not running."""
        ...

    async def append(self, tree: str, records: Sequence[ServerRecord]) -> bool:
        """Appends the server's own records in their order. False if the tree has no journal, and none was to be made.

        Raises `OSError` or `SquallError` when not all of them could be appended: what was is known by its event, and
        dropped when it comes again.
        """
        ...

    async def close_tree(self, tree: str) -> None:
        """No more records will come."""
        ...


class OutputText(Protocol):
    """Reads back what an execution printed."""

    def __call__(self, stream: str) -> tuple[str, int]:
        """The text of one stream, as much of its end as a result may hold, and how many bytes were left out."""
        ...


class Runner(Protocol):
    """One way of running actions."""

    def prepare(self, job: Job) -> LaunchSpec | Outcome:
        """What to start, or the outcome when nothing needs to be started."""
        ...

    def outcome(self, job: Job, end: End, output: OutputText) -> Outcome:
        """What the end of the process means for the execution."""
        ...
