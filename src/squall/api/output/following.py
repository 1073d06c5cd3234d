"""The one loop that follows a journal for readers: all forms of output, the tail of an execution, the stream of a page.

It reads from a position, yields heartbeats, jumps to the present if the reader's lag policy says so, and reports the
lag every few seconds. A `Form` encodes each batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import NamedTuple, Protocol, TypeVar

from squall.api.http.wire import Query
from squall.api.output.forms.records import Jump
from squall.core.errors import InvalidError
from squall.core.execution.execution import Execution
from squall.core.output.journal import Batch
from squall.core.output.places import Place
from squall.services.output.outputs import Outputs

LAG_SECONDS = 5.0
"""The interval of lag reports to a reader that receives output all the time."""

_MIB = 1 << 20
_DEFAULT_MIB = 8
_DEFAULT_SECONDS = 10

T = TypeVar("T")


class LagPolicy(NamedTuple):
    """The limits of the lag, in bytes of the journal and in ms. A reader that exceeds one jumps to the present."""

    most_bytes: int
    most_ms: int

    def exceeded(self, ms: int, lag_bytes: int) -> bool:
        """Returns True if a reader with this lag jumps."""
        return lag_bytes > self.most_bytes or (lag_bytes > 0 and ms > self.most_ms)


def lag_policy(query: Query) -> LagPolicy | None:
    """Returns the policy in `lag=skip`, `lag_mib` and `lag_seconds`; None if the reader takes all output. Raises
    `InvalidError`."""
    mode = query.text("lag", "all")
    if mode not in ("all", "skip"):
        raise InvalidError(f'lag: "{mode}" is not one of all, skip')
    mib, seconds = query.integer("lag_mib", _DEFAULT_MIB) or 0, query.integer("lag_seconds", _DEFAULT_SECONDS) or 0
    for name, value in (("lag_mib", mib), ("lag_seconds", seconds)):
        if not 1 <= value <= 1 << 20:
            raise InvalidError(f"{name}: {value} is not between 1 and {1 << 20}")
    return LagPolicy(mib * _MIB, seconds * 1000) if mode == "skip" else None


def lag_of(batch: Batch, lag_bytes: int, now: int) -> tuple[int, int]:
    """Returns the lag of a reader after this batch, in ms and in bytes: `lag_bytes` bytes of the journal come after
    the batch. `now` is in µs."""
    last = batch.records[-1].time if batch.records else 0
    # If a damaged disk lost the record, its time is unknown.
    return max(0, now - last) // 1000 if lag_bytes and last else 0, lag_bytes


class Form(Protocol[T]):
    """The encoding of a journal for one reader, or for several readers with the same request."""

    async def encode(self, after: Place, batch: Batch) -> T:
        """Encodes a batch that was read from the position `after`."""
        ...

    def jumped(self, jump: Jump) -> T:
        """Returns the message that replaces the output which a reader jumped over."""
        ...

    def lagging(self, last: T, ms: int, lag_bytes: int) -> T | None:
        """Returns the report of the lag (`ms` and `lag_bytes`) for a reader that received `last` last; None if the form
        cannot carry it."""
        ...


class Following:
    """A follower of the journal of `execution`, and of all its descendants if `whole`. `heartbeat` is in seconds, `now`
    returns µs since 1970. The lag `policy` decides when a reader jumps; None: never."""

    def __init__(
        self,
        outputs: Outputs,
        execution: Execution,
        *,
        whole: bool,
        policy: LagPolicy | None,
        heartbeat: float,
        now: Callable[[], int],
    ) -> None:
        self._outputs = outputs
        self._execution = execution
        self._whole = whole
        self._policy = policy
        self._heartbeat = heartbeat
        self._now = now

    async def parts(
        self, form: Form[T], after: Place, *, wait: bool = True, until: Place | None = None
    ) -> AsyncGenerator[T | None, None]:
        """Yields the encoded output after a position, until the execution ends or the server stops. If `wait` is false,
        stops at the journal's current end. Stops at the position `until`, if any. Yields None when a heartbeat is
        due."""
        tree = self._execution.tree
        lag_sent = asyncio.get_running_loop().time()
        while True:
            jump = None
            batches = self._outputs.follow(self._execution, self._whole, after, wait, self._heartbeat, until)
            async with aclosing(batches):
                async for batch in batches:
                    if batch is None:
                        yield None
                        continue
                    if self._policy is not None and self._policy.exceeded(*(lag := self._lag(batch))):
                        # Other followers stand at `until`. This reader reads everything after it together with them.
                        end = self._outputs.head(tree) if until is None else until
                        jump = Jump(after, end, self._outputs.distance(after, end), lag[0])
                        yield form.jumped(jump)
                        after = end
                        break
                    encoded = await form.encode(after, batch)
                    after = batch.position
                    yield encoded
                    now = asyncio.get_running_loop().time()
                    if (
                        now - lag_sent >= LAG_SECONDS
                        and (report := form.lagging(encoded, *self._lag(batch))) is not None
                    ):
                        lag_sent = now
                        yield report
            if jump is None or after == until:
                return

    def _lag(self, batch: Batch) -> tuple[int, int]:
        return lag_of(batch, self._outputs.left(self._execution.tree, batch.position), self._now())
