"""The source of one output: its pieces are the same for all readers with the same request."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Hashable
from typing import Any, NamedTuple

from squall.api.output.following import Following, LagPolicy
from squall.api.output.forms.frames import BEAT, lag_comment
from squall.api.output.forms.records import RAW, SSE, SSE_RAW, TEXT, Encoded, Jump, encode, jumped
from squall.api.output.selection import Selection, SelectionFilter
from squall.api.output.sending import Piece
from squall.core.execution.execution import Execution
from squall.core.output import journal
from squall.core.output.journal import Batch, Record
from squall.core.output.places import Place
from squall.services.output.labels import Label
from squall.services.output.outputs import Outputs, is_end

_BUDGET = 8 << 20


class OutputOptions(NamedTuple):
    """The options of one reader's request: format, streams as numbers (None: all), filter of executions and lag policy.
    `statuses`: the reader also gets the changes of status.

    `finished`: the number of replacement characters for unfinished characters after the last position that the reader
    has received. `packed`: the compression of the file that the reader requests, or None.
    """

    form: str
    streams: frozenset[int] | None
    filter: SelectionFilter
    lag: LagPolicy | None
    follow: bool
    after: Place
    finished: int
    packed: str | None
    statuses: bool = False


class EncodedCache:
    """The pieces encoded last, by request and position; bounded in bytes."""

    def __init__(self) -> None:
        self._pieces: OrderedDict[tuple[Any, ...], Encoded] = OrderedDict()
        self._size = 0

    def get(self, key: tuple[Any, ...]) -> Encoded | None:
        """Returns the cached piece, or None."""
        return self._pieces.get(key)

    def put(self, key: tuple[Any, ...], encoded: Encoded) -> None:
        """Adds a piece, and removes the oldest pieces beyond the budget."""
        self._pieces[key] = encoded
        self._size += len(encoded.data)
        while self._size > _BUDGET and len(self._pieces) > 1:
            _, oldest = self._pieces.popitem(last=False)
            self._size -= len(oldest.data)

    def clear(self) -> None:
        """Removes all pieces. Without readers they would only take memory."""
        self._pieces.clear()
        self._size = 0


class OutputSource:
    """The `sending.Source` of all readers with the same request, and the `following.Form` of its encoding."""

    def __init__(
        self,
        outputs: Outputs,
        cache: EncodedCache,
        execution: Execution,
        options: OutputOptions,
        heartbeat: float,
        now: Callable[[], int],
    ) -> None:
        self._cache = cache
        self._execution = execution
        self._options = options
        self._selection = Selection(outputs, execution, options.filter)
        self._following = Following(
            outputs, execution, whole=not self._selection.single, policy=options.lag, heartbeat=heartbeat, now=now
        )
        self._events = options.form in (SSE, SSE_RAW)
        self.key: Hashable = (self._selection.key, options.streams, options.form, options.lag, options.statuses)
        # A heartbeat is due only when there is nothing to send.
        self.heartbeat = BEAT if self._events else b""
        self.order = outputs.order

    def pieces(self, after: Place, *, wait: bool, until: Place | None = None) -> AsyncGenerator[Piece | None, None]:
        """See `sending.Source`."""
        return self._following.parts(self, after, wait=wait, until=until)

    async def encode(self, after: Place, batch: Batch) -> Piece:
        """See `following.Form`. Encodes each batch once for all readers."""
        encoded = await self._encoded(after, batch)
        end = next((record for record in batch.records if is_end(record, self._execution.id)), None)
        return Piece(encoded.data, batch.position, encoded.leads, end)

    def jumped(self, jump: Jump) -> Piece:
        """See `following.Form`."""
        return Piece(jumped(self._options.form, self._execution.id, jump), jump.end, {}, None)

    def lagging(self, last: Piece, ms: int, lag_bytes: int) -> Piece | None:
        """See `following.Form`. Only events can carry the lag, and nothing may come after the end."""
        if not self._events or last.end is not None:
            return None
        return Piece(lag_comment(ms, lag_bytes), last.position, {}, None)

    async def _encoded(self, position: Place, batch: Batch) -> Encoded:
        key = (self.key, position, batch.position)
        encoded = self._cache.get(key)
        if encoded is None:
            options = self._options
            records = [record for record in batch.records if _is_selected(record, options)]
            if not self._selection.everything:
                records = [record for record in records if await self._selection.holds(record.execution)]
            labels: dict[str, Label] = {}
            if options.form not in (TEXT, RAW):
                labels = await self._selection.labels({record.execution for record in records})
            encoded = encode(options.form, records, labels)
            self._cache.put(key, encoded)
        return encoded


def _is_selected(record: Record, options: OutputOptions) -> bool:
    streams = options.streams
    if record.kind == journal.PROGRESS or (record.kind == journal.STATUS and options.statuses):
        return True
    if record.kind not in (journal.OUTPUT, journal.GAP):
        return False
    # A gap without a stream concerns all of them.
    return streams is None or record.stream in streams or (record.kind == journal.GAP and not record.stream)
