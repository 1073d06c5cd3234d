"""A launcher that does as it is told: no process, but real journals, ends on command, and errors on order."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from squall.adapters.keeper.process.writing.journals import Journals
from squall.core.execution.launch import End, LaunchSpec
from squall.core.output import journal as codec
from squall.core.output.journal import ServerRecord
from squall.testing.waiting import PATIENCE


class ScriptedLauncher:
    """`ports.Launcher` for tests. `spawned` and `canceled` say what it was asked for, in order; `closed` which trees
    were; `append_error`, while it is set, is raised by every `append`."""

    def __init__(self, root: Path, boot: bytes = bytes(16)) -> None:
        self._journals = Journals(root, boot, 1, floor=0)
        self._ends: dict[str, asyncio.Future[End]] = {}
        self._held: dict[tuple[str, int], LaunchSpec] = {}
        self._started: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.spawned: list[LaunchSpec] = []
        self.canceled: list[str] = []
        self.acknowledged: list[str] = []
        self.closed: list[str] = []
        self.append_error: OSError | None = None
        self._opened: set[str] = set()
        self._printed: Counter[tuple[str, str]] = Counter()

    # -- what tests do with it

    async def starting(self, execution: str) -> LaunchSpec:
        """Waits until the execution has been spawned."""
        async with asyncio.timeout(PATIENCE):
            await self._started[execution].wait()
        return next(spec for spec in reversed(self.spawned) if spec.execution == execution)

    def show(self, spec: LaunchSpec, text: bytes, stream: str = "stdout") -> None:
        """Prints as the process would, behind the record that opens its output."""
        writer = self._journals.writer(spec.tree, create=True)
        if writer is None:
            raise LookupError(spec.tree)
        if spec.execution not in self._opened and spec.opening:
            writer.note(codec.STATUS, spec.execution, spec.opened_at, spec.opened, spec.opening)
        self._opened.add(spec.execution)
        self._printed[spec.execution, stream] += len(text)
        writer.output(spec.execution, codec.STREAM_NUMBERS[stream], spec.opened_at, text)

    def end(self, spec: LaunchSpec, exit_code: int = 0, **changes: Any) -> None:
        """Ends the process; what it has printed is counted."""
        writer = self._journals.writer(spec.tree, create=False)
        first, last = writer.ends(spec.execution) if writer is not None else (0, 0)
        end = End(
            execution=spec.execution,
            attempt=spec.attempt,
            exit_code=exit_code,
            stdout_bytes=self._printed[spec.execution, "stdout"],
            stderr_bytes=self._printed[spec.execution, "stderr"],
            first_record=first,
            last_record=last,
        )
        self._ends[spec.execution].set_result(end._replace(**changes))

    def flush(self, tree: str) -> None:
        """Makes a tree's journal durable, as a keeper does before it reports an end."""
        if (writer := self._journals.writer(tree, create=False)) is not None:
            writer.flush()

    def close(self) -> None:
        """Closes the journals as they are."""
        self._journals.close_all()

    # -- the port

    async def spawn(self, spec: LaunchSpec) -> None:
        """Notes it, once for each attempt."""
        key = (spec.execution, spec.attempt)
        if key not in self._held:
            self._held[key] = spec
            self._ends[spec.execution] = asyncio.get_running_loop().create_future()
            self.spawned.append(spec)
            self._started[spec.execution].set()

    async def ended(self, execution: str) -> End:
        """Waits for `end`."""
        return await asyncio.shield(self._ends[execution])

    async def result(self, end: End) -> bytes:
        """What is in the file that the end names."""
        return Path(end.result_file).read_bytes() if end.result_file else b""

    async def acknowledge(self, execution: str) -> None:
        """Forgets it."""
        self.acknowledged.append(execution)
        self._ends.pop(execution, None)
        self._held = {key: spec for key, spec in self._held.items() if key[0] != execution}

    def held(self) -> Sequence[tuple[str, int]]:
        """What was spawned and not acknowledged."""
        return list(self._held)

    async def cancel(self, execution: str) -> None:
        """Notes it, and ends what runs."""
        self.canceled.append(execution)
        future = self._ends.get(execution)
        if future is not None and not future.done():
            spec = next(spec for key, spec in self._held.items() if key[0] == execution)
            self.end(spec, -15, canceled=True)

    async def append(self, tree: str, records: Sequence[ServerRecord]) -> bool:
        """Appends, or raises what was ordered."""
        if self.append_error is not None:
            raise self.append_error
        return self._journals.append(tree, records)

    async def add_secrets(self, execution: str, secrets: Sequence[bytes]) -> None:
        """Nothing is masked here."""

    def waiting(self, execution: str) -> str:
        """Nothing ever waits here."""
        return ""

    async def close_tree(self, tree: str) -> None:
        """Notes it, and closes the tree's journal."""
        self.closed.append(tree)
        self._journals.close(tree, 0)
