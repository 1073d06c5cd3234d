"""The one loop that reads a journal for those who are sent it: all forms of output, the tail of an execution, a page.

It follows from a place, tells when a heartbeat is due, jumps to the present when the reader wants that and is too far
behind, and tells the lag from time to time. A `Form` makes of each batch what is sent.
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

TELL_SECONDS = 5.0
"""How often somebody who is being sent output all the time is told the lag."""

_MIB = 1 << 20
_DEFAULT_MIB = 8
_DEFAULT_SECONDS = 10

T = TypeVar("T")


class LagPolicy(NamedTuple):
    """Whoever is more than so many bytes of the journal, or ms, behind jumps to the present."""

    most_bytes: int
    most_ms: int

    def exceeded(self, ms: int, behind: int) -> bool:
        """Whether somebody that far behind jumps."""
        return behind > self.most_bytes or (behind > 0 and ms > self.most_ms)


def lag_policy(query: Query) -> LagPolicy | None:
    """What `lag=skip`, `lag_mib` and `lag_seconds` ask for; None: everything. Raises `InvalidError`."""
    wanted = query.text("lag", "all")
    if wanted not in ("all", "skip"):
        raise InvalidError(f'lag: "{wanted}" is none of all, skip')
    mib, seconds = query.integer("lag_mib", _DEFAULT_MIB) or 0, query.integer("lag_seconds", _DEFAULT_SECONDS) or 0
    for name, value in (("lag_mib", mib), ("lag_seconds", seconds)):
        if not 1 <= value <= 1 << 20:
            raise InvalidError(f"{name}: {value} is not between 1 and {1 << 20}")
    return LagPolicy(mib * _MIB, seconds * 1000) if wanted == "skip" else None


def lag_of(batch: Batch, left: int, now: int) -> tuple[int, int]:
    """How far a reader who has got this batch is behind if `left` bytes of the journal come after it: ms, and these
    bytes. `now` is in µs."""
    last = batch.records[-1].time if batch.records else 0
    # Where a disk has lost the record, nobody knows its time.
    return max(0, now - last) // 1000 if left and last else 0, left


class Form(Protocol[T]):
    """What is made of a journal for one reader, or for several who want the same."""

    async def encode(self, after: Place, batch: Batch) -> T:
        """What is sent of a batch that was read from the place `after`."""
        ...

    def jumped(self, jump: Jump) -> T:
        """What is sent instead of the output that a reader has jumped over."""
        ...

    def lagging(self, sent: T, ms: int, behind: int) -> T | None:
        """What tells a reader that has been sent `sent` how far it is behind; None if this form has no room for it."""
        ...


class Following:
    """Follows the journal of `execution`: with all below it if `whole`. `heartbeat` is in seconds, `now` gives µs since
    1970. The lag `policy` says when a reader jumps; None: never."""

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
        """What the form makes of everything behind a place, to the end of the execution or until the server stops;
        without `wait` only of what is there, and of nothing beyond the place `until`. None when a heartbeat is due."""
        tree = self._execution.tree
        told = asyncio.get_running_loop().time()
        while True:
            jump = None
            follow = self._outputs.follow(self._execution, self._whole, after, wait, self._heartbeat, until)
            async with aclosing(follow) as batches:
                async for batch in batches:
                    if batch is None:
                        yield None
                        continue
                    if self._policy is not None and self._policy.exceeded(*(lag := self._lag(batch))):
                        # Others that follow stand at `until`; what comes behind it is read together with them.
                        end = self._outputs.head(tree) if until is None else until
                        jump = Jump(after, end, self._outputs.distance(after, end), lag[0])
                        yield form.jumped(jump)
                        after = end
                        break
                    sent = await form.encode(after, batch)
                    after = batch.position
                    yield sent
                    now = asyncio.get_running_loop().time()
                    if now - told >= TELL_SECONDS and (comment := form.lagging(sent, *self._lag(batch))) is not None:
                        told = now
                        yield comment
            if jump is None or after == until:
                return

    def _lag(self, batch: Batch) -> tuple[int, int]:
        return lag_of(batch, self._outputs.left(self._execution.tree, batch.position), self._now())
