"""The ends that a keeper has not reported yet, because their data is not on the disk. Standard library only."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from squall.adapters.keeper import wire
from squall.adapters.keeper.process.child import Child
from squall.adapters.keeper.process.flusher import Flusher, Unsynced
from squall.adapters.keeper.process.loop import EpollLoop
from squall.adapters.keeper.process.writing.writer import TreeWriter
from squall.adapters.keeper.runlog import Key, RunLog
from squall.core.execution.process import End

_TRY_AGAIN = 0.5
_LOST_RESULT = "The disk of the server has lost the result of the action."


class Ends:
    """Makes result, journal and run log of an ended child durable in this order, then reports its end with `tell`.

    While the disk refuses that, the end waits, and its reason is reported.
    """

    def __init__(self, loop: EpollLoop, flusher: Flusher, log: RunLog, tell: Callable[[wire.Report], None]) -> None:
        self._loop = loop
        self._flusher = flusher
        self._log = log
        self._tell = tell
        self._waiting: dict[Key, str] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._waiting

    def __len__(self) -> int:
        return len(self._waiting)

    def reasons(self) -> dict[str, str]:
        """Returns the units whose end waits for the disk, with the reason."""
        return {unit: reason for (unit, _), reason in self._waiting.items() if reason}

    def add(self, child: Child, end: End, writer: TreeWriter | None) -> None:
        """Writes the end of a child to the run log, and reports it when it is durable. `writer` is that of its journal;
        None if the journal has no data that is not durable."""
        self._waiting[end.unit, end.attempt] = ""
        self._log.end(end)
        files: list[Unsynced] = [] if writer is None else [writer]
        if child.result is not None:
            files.insert(0, child.result)
        self._flush(child, end, [*files, self._log])

    def _flush(self, child: Child, end: End, files: list[Unsynced]) -> None:
        done = partial(self._durable, child, end)
        self._flusher.submit(files, done, partial(self._failed, child, end, files))

    def _failed(self, child: Child, end: End, files: list[Unsynced], error: OSError) -> None:
        reason = f"its end waits for the disk: {error.strerror or error}"
        if self._waiting[end.unit, end.attempt] != reason:
            self._waiting[end.unit, end.attempt] = reason
            self._tell(wire.Waits(end.unit, reason))
        self._loop.call_later(_TRY_AGAIN, self._again, child, end, files)

    def _again(self, child: Child, end: End, files: list[Unsynced]) -> None:
        try:
            for file in files:
                file.renew()
        except OSError as error:
            self._failed(child, end, files, error)
            return
        self._flush(child, end, files)

    def _durable(self, child: Child, end: End) -> None:
        if child.result is not None and child.result.lost and end.lost is None:
            self.add(child, end._replace(lost=_LOST_RESULT, result_file=None), None)
            return
        del self._waiting[end.unit, end.attempt]
        self._tell(end)
