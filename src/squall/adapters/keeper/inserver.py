"""The launcher of one process: children and journals live on the server's own event loop."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from squall.adapters.keeper.children import Child, Children
from squall.adapters.keeper.journals import Journals
from squall.core import journal
from squall.core.journal import NotAJournalError
from squall.core.launch import End, LaunchSpec
from squall.ports import Clock


def boot_id() -> bytes:
    """The 16 bytes that change with every boot of this machine."""
    return bytes.fromhex(Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", ""))


class InServerLauncher:
    """`ports.Launcher` without a process of its own: what it runs ends with the server. Use it within `run()`."""

    def __init__(self, root: Path, clock: Clock, floor: int, fsync_seconds: float) -> None:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._clock = clock
        self._fsync_seconds = fsync_seconds
        self._journals = Journals(root, boot_id(), clock.now() // 1_000_000 & 0xFFFFFFFF, floor)
        self._children: Children | None = None
        self._ends: dict[str, asyncio.Future[End]] = {}
        self._attempts: dict[str, int] = {}
        self._early: set[str] = set()
        self._flushing: set[asyncio.Future[Any]] = set()

    async def run(self) -> None:
        """Flushes what has been committed, on a timer, until cancelled; then closes the journals."""
        try:
            while True:
                await asyncio.sleep(self._fsync_seconds)
                for writer in self._journals.take_dirty():
                    await asyncio.to_thread(writer.flush)
        finally:
            self._journals.close_all()

    async def spawn(self, spec: LaunchSpec) -> None:
        """Starts it, once for each attempt."""
        if self._attempts.get(spec.execution) == spec.attempt:
            return
        loop = asyncio.get_running_loop()
        if self._children is None:
            self._children = Children(loop, self._journals, self._clock.now)
        self._attempts[spec.execution] = spec.attempt
        self._ends[spec.execution] = loop.create_future()
        self._children.spawn(spec, self._on_end)
        if spec.execution in self._early:
            self._children.cancel(spec.execution)

    def _on_end(self, child: Child) -> None:
        spec = child.spec
        end = End(
            execution=spec.execution,
            attempt=spec.attempt,
            exit_code=child.exit_code,
            timed_out=child.timed_out,
            canceled=child.canceled,
            over_limit=child.over_limit,
            error=child.error,
            stdout_bytes=child.kept[journal.STREAM_NUMBERS["stdout"]],
            stderr_bytes=child.kept[journal.STREAM_NUMBERS["stderr"]],
            last_record=child.last_record,
        )
        writer = self._journals.take_dirty_of(spec.tree)
        if writer is None:
            self._ends[spec.execution].set_result(end)
            return
        # The end is told only when what it ends is durable.
        flushed = asyncio.get_running_loop().run_in_executor(None, writer.flush)
        self._flushing.add(flushed)
        flushed.add_done_callback(lambda done: self._tell(done, end))

    def _tell(self, flushed: asyncio.Future[Any], end: End) -> None:
        self._flushing.discard(flushed)
        # A flush that fails leaves output visible but not durable; the execution's outcome is still known.
        flushed.exception()
        future = self._ends.get(end.execution)
        if future is not None and not future.done():
            future.set_result(end)

    async def ended(self, execution: str) -> End:
        """Waits for the end."""
        return await asyncio.shield(self._ends[execution])

    async def acknowledge(self, execution: str) -> None:
        """Forgets an end."""
        self._ends.pop(execution, None)
        self._attempts.pop(execution, None)
        self._early.discard(execution)

    async def cancel(self, execution: str) -> None:
        """Ends a process as a whole, also one that is just about to be started."""
        self._early.add(execution)
        if self._children is not None:
            self._children.cancel(execution)

    async def append(
        self, tree: str, execution: str, kind: int, at: int, event: int, payload: bytes, create: bool
    ) -> bool:
        """Appends a record of the server's."""
        try:
            writer = self._journals.writer(tree, create)
            if writer is None:
                return False
            writer.note(kind, execution, at, event, payload)
        except NotAJournalError:
            return False
        return True

    async def close_tree(self, tree: str) -> None:
        """Closes the tree's journal."""
        self._journals.close(tree, self._clock.now())
