"""One output as it was asked for: what all who ask for the same are sent."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Hashable
from typing import Any, NamedTuple

from squall.api.output.following import Following, LagPolicy
from squall.api.output.forms.frames import BEAT, lag_comment
from squall.api.output.forms.records import RAW, SSE, SSE_RAW, TEXT, Encoded, Jump, encode, jumped
from squall.api.output.selection import Selection, Wanted
from squall.api.output.sending import Piece
from squall.core.execution.execution import Execution
from squall.core.output import journal
from squall.core.output.journal import Batch, Record
from squall.core.output.places import Place
from squall.services.output.labels import Label
from squall.services.output.outputs import Outputs, is_end

_BUDGET = 8 << 20


class Asked(NamedTuple):
    """What one reader wants: streams as numbers (None: all), which executions, and what happens when it is behind.

    `finished`: it has been told of the characters that were never finished already, behind the last position. `packed`:
    it wants a file in this form.
    """

    form: str
    streams: frozenset[int] | None
    wanted: Wanted
    lag: LagPolicy | None
    follow: bool
    after: Place
    finished: bool
    packed: str | None


class EncodedCache:
    """The pieces encoded last, by what was asked and from where; bounded in bytes."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Any, ...], Encoded] = OrderedDict()
        self._size = 0

    def get(self, key: tuple[Any, ...]) -> Encoded | None:
        """What was kept."""
        return self._kept.get(key)

    def put(self, key: tuple[Any, ...], encoded: Encoded) -> None:
        """Keeps it, and lets the oldest go."""
        self._kept[key] = encoded
        self._size += len(encoded.data)
        while self._size > _BUDGET and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._size -= len(oldest.data)


class OutputSource:
    """The `sending.Source` of all who ask for the same output, and the `following.Form` that it is read in."""

    def __init__(
        self,
        outputs: Outputs,
        cache: EncodedCache,
        execution: Execution,
        asked: Asked,
        heartbeat: float,
        now: Callable[[], int],
    ) -> None:
        self._cache = cache
        self._execution = execution
        self._asked = asked
        self._selection = Selection(outputs, execution, asked.wanted)
        self._following = Following(
            outputs, execution, whole=not self._selection.single, policy=asked.lag, heartbeat=heartbeat, now=now
        )
        self._events = asked.form in (SSE, SSE_RAW)
        self.key: Hashable = (self._selection.key, asked.streams, asked.form, asked.lag)
        # It is only due when there is nothing to send.
        self.heartbeat = BEAT if self._events else b""
        self.order = outputs.order

    def pieces(self, after: Place, *, wait: bool, until: Place | None = None) -> AsyncGenerator[Piece | None, None]:
        """See `sending.Source`."""
        return self._following.parts(self, after, wait=wait, until=until)

    async def encode(self, after: Place, batch: Batch) -> Piece:
        """See `following.Form`: encoded once for all."""
        encoded = await self._encoded(after, batch)
        end = next((record for record in batch.records if is_end(record, self._execution.id)), None)
        return Piece(encoded.data, batch.position, encoded.leads, end)

    def jumped(self, jump: Jump) -> Piece:
        """See `following.Form`."""
        return Piece(jumped(self._asked.form, self._execution.id, jump), jump.end, {}, None)

    def lagging(self, sent: Piece, ms: int, behind: int) -> Piece | None:
        """See `following.Form`: only events have room for it, and nothing comes behind the end."""
        if not self._events or sent.end is not None:
            return None
        return Piece(lag_comment(ms, behind), sent.position, {}, None)

    async def _encoded(self, position: Place, batch: Batch) -> Encoded:
        key = (self.key, position, batch.position)
        found = self._cache.get(key)
        if found is None:
            asked = self._asked
            records = [record for record in batch.records if _wanted(record, asked.streams)]
            if not self._selection.everything:
                records = [record for record in records if await self._selection.holds(record.execution)]
            labels: dict[str, Label] = {}
            if asked.form not in (TEXT, RAW):
                labels = await self._selection.labels({record.execution for record in records})
            found = encode(asked.form, records, labels)
            self._cache.put(key, found)
        return found


def _wanted(record: Record, streams: frozenset[int] | None) -> bool:
    if record.kind == journal.PROGRESS:
        return True
    if record.kind not in (journal.OUTPUT, journal.GAP):
        return False
    return streams is None or record.stream in streams
