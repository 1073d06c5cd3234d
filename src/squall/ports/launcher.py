"""The launcher of processes, and the runners of actions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from squall.core.execution.launch import End, Job, LaunchSpec, Outcome
from squall.core.output.journal import ServerRecord


class Launcher(Protocol):
    """Runs processes, and is the only writer of their trees' journals."""

    async def spawn(self, spec: LaunchSpec) -> None:
        """Starts a process; idempotent by (execution, attempt). If it cannot be started, its `End` says so; no
        exception is raised."""
        ...

    async def ended(self, execution: str) -> End:
        """Waits for the end of the process. All output is committed and flushed then."""
        ...

    async def result(self, end: End) -> bytes:
        """Returns the result that the process wrote; empty if it wrote none, or its end was acknowledged."""
        ...

    async def add_secrets(self, execution: str, secrets: Sequence[bytes]) -> None:
        """Masks these values too in the execution's output. When this returns, the masking has begun."""
        ...

    def waiting(self, execution: str) -> str:
        """Returns a text for users that says what a running execution waits for; empty if it does not wait."""
        ...

    async def acknowledge(self, execution: str) -> None:
        """Acknowledges the end of an execution's process: the launcher may forget it."""
        ...

    def held(self) -> Sequence[tuple[str, int]]:
        """Returns (execution, attempt) of each process that runs, or has ended and was not acknowledged. An earlier
        server may have started it."""
        ...

    async def cancel(self, execution: str) -> None:
        """Kills the process and all its descendants in its session: TERM, then KILL. Does nothing if it does not
        run."""
        ...

    async def append(self, tree: str, records: Sequence[ServerRecord]) -> bool:
        """Appends the server's own records in their order. Returns false if the tree has no journal, and the records
        do not create one.

        Raises `OSError` or `SquallError` if not all of them could be appended. The caller may append all of them again:
        the launcher recognizes the appended ones by their event, and drops them.
        """
        ...

    async def close_tree(self, tree: str) -> None:
        """Closes the journal of a tree: no more records will come."""
        ...


class OutputText(Protocol):
    """Reads the output of an execution."""

    def __call__(self, stream: str) -> tuple[str, int]:
        """Returns the text of one stream, as much of its end as a result may hold, and the number of bytes left out."""
        ...


class Runner(Protocol):
    """One way of running actions."""

    def prepare(self, job: Job) -> LaunchSpec | Outcome:
        """Returns the process to start, or the outcome if none needs to be started."""
        ...

    def outcome(self, job: Job, end: End, output: OutputText) -> Outcome:
        """Returns the outcome of the execution after the end of its process."""
        ...
