"""The text that an execution printed, read back from its journal for the execution's result."""

from __future__ import annotations

from squall.core.execution.execution import Execution
from squall.core.execution.launch import End
from squall.core.output import journal
from squall.core.output.journal import Record
from squall.ports import Journal, Launcher, OutputText

RESULT = "result"
"""The name that runners use, beside the names of streams, for the result that the process wrote."""

_READ = 1 << 18
_LOOK_FOR_FIRST = 8


class PrintedText:
    """Reads outputs of processes that have ended. A text has at most `most` bytes of a stream; `url` is the address of
    the API, where the rest can be read."""

    def __init__(self, journal_port: Journal, launcher: Launcher, most: int, url: str) -> None:
        self._journal = journal_port
        self._launcher = launcher
        self._most = most
        self._url = url

    async def read(self, execution: Execution, end: End) -> OutputText:
        """Returns a reader of the execution's output: each stream whole if it fits a result, else its two ends."""
        most = self._most
        totals = {"stdout": end.stdout_bytes, "stderr": end.stderr_bytes}
        long = max(totals.values()) > most
        limits = {journal.STREAM_NUMBERS[stream]: min(most, total) for stream, total in totals.items()}
        last = await self._journal.read_last(execution.tree, end.last_record, limits)
        first = await self._first(execution, end, most // 2) if long else []
        url = f"{self._url}/v1/executions/{execution.id}/output"
        result = await self._launcher.result(end)

        def text(stream: str) -> tuple[str, int]:
            if stream == RESULT:
                return result.decode("utf-8", "replace"), end.result_bytes - len(result)
            printed = _bytes_of(last, stream)
            if totals[stream] <= most:
                lost = totals[stream] - len(printed)
                note = f"\n[squall: {lost} bytes of {stream} are damaged or missing]\n" if lost > 0 else ""
                return printed.decode("utf-8", "replace") + note, max(0, lost)
            head = _bytes_of(first, stream)[: most // 2]
            tail = printed[-(most // 2) :]
            omitted = totals[stream] - len(head) - len(tail)
            note = f"\n[squall: {omitted} bytes are left out here; all of it is at {url}?type={stream}]\n"
            return head.decode("utf-8", "replace") + note + tail.decode("utf-8", "replace"), omitted

        return text

    async def _first(self, execution: Execution, end: End, most: int) -> list[Record]:
        """Returns the execution's first records: about `most` bytes of each stream, fewer if a stream starts late."""
        records: list[Record] = []
        room = dict.fromkeys((1, 2), most)
        position, scanned = end.first_record, 0
        with self._journal.watch(execution.tree):
            while any(free > 0 for free in room.values()) and scanned < _LOOK_FOR_FIRST * most:
                batch = await self._journal.read(execution.tree, position, _READ)
                if batch.position == position:
                    break
                scanned += self._journal.distance(position, batch.position)
                position = batch.position
                for record in batch.records:
                    # Tagged records belong to no stream of the process itself.
                    own = record.kind == journal.OUTPUT and record.execution == execution.id and not record.tag
                    if own and room.get(record.stream, 0) > 0:
                        room[record.stream] -= len(record.payload)
                        records.append(record)
        return records


def _bytes_of(records: list[Record], stream: str) -> bytes:
    number = journal.STREAM_NUMBERS[stream]
    return b"".join([record.payload for record in records if record.kind == journal.OUTPUT and record.stream == number])
