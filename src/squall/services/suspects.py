"""Work during which the server died. What kills it twice is set aside at the third start, until somebody retries it.

The subject of a suspicion is what one handler works on: an execution, or the tree of a journal, in one lane of the
queue. Someone may also kill the server from outside, again and again, while it works on something harmless. So a
suspect is handled only some seconds after the start and apart from other suspects: two kills would have to hit the few
milliseconds in which the server works on the same subject. When it has been handled, it is a suspect no more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from squall.core.environment import RETRIED
from squall.core.errors import NotFoundError
from squall.core.ids import is_id
from squall.ports import Bus, Clock, Due, Marks, Store, Suspect, Tx
from squall.services.lanes import (
    ADVANCE,
    AT_ONCE,
    GATES,
    JOURNAL,
    NOTIFICATIONS,
    PURGE,
    RULES,
    RUN,
    SCHEDULE,
)

T = TypeVar("T")
_LOG = logging.getLogger("squall.suspects")
DEATHS = 2
"""The deaths of the server after which a subject is set aside."""

NEVER = 253_402_300_000_000_000
"""The time (µs, in the year 9999) from which rows that are set aside may be claimed."""

_APART = 500_000
_LANES = (RUN, ADVANCE, JOURNAL, PURGE, RULES, GATES, SCHEDULE, NOTIFICATIONS)
"""The lanes whose subjects are watched."""


def _key(due: Due) -> str:
    return due.key


class Suspects:
    """Claims rows of the queue as `owner`, except what is set aside, and watches their handlers.

    `pause` is the time in seconds from the start until the first suspect is handled.
    """

    def __init__(self, store: Store, bus: Bus, clock: Clock, marks: Marks, owner: str, pause: float) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._marks = marks
        self._owner = owner
        self._pause = int(pause * 1_000_000)
        self._suspects: Mapping[tuple[str, str], Suspect] = {}
        self._turns: dict[tuple[str, str], int] = {}

    async def begin(self) -> None:
        """Counts what the previous server was working on when it died. Call it before any claim."""
        now = self._clock.now()
        subjects = [subject for name in self._marks.left() if (subject := _subject(name)) is not None]

        async def work(tx: Tx) -> Sequence[Suspect]:
            for lane, subject in subjects:
                await tx.suspects.blame(lane, subject, now)
            return await tx.suspects.all()

        suspects = await self._store.tx(work)
        self._marks.forget()
        self._suspects = {(each.lane, each.subject): each for each in suspects}
        for each in suspects:
            extra = {"lane": each.lane, "subject": each.subject, "deaths": each.deaths}
            if _is_aside(each):
                _LOG.error("work is set aside, because the server died each time it worked on it", extra=extra)
            else:
                self._turns[each.lane, each.subject] = now + self._pause + len(self._turns) * _APART
                _LOG.warning("work waits a little, because the server died while it worked on it", extra=extra)

    async def claim(
        self,
        tx: Tx,
        lane: str,
        now: int,
        lease: int,
        limit: int,
        *,
        owner: str | None = None,
        subject: Callable[[Due], str] = _key,
    ) -> Sequence[Due]:
        """Claims up to `limit` due rows of a lane for `lease` µs. Puts back rows of subjects that are set aside, or
        whose turn comes later. `subject` returns the subject of a row. The claims are those of `owner`, if given."""
        tasks = await tx.queue.claim(lane, owner or self._owner, now, lease, limit)
        if not self._suspects:
            return tasks
        claimed: list[Due] = []
        for task in tasks:
            due = self._due(lane, subject(task))
            if due > now:
                await tx.queue.release(task, due)
            else:
                claimed.append(task)
        return claimed

    async def watched(self, lane: str, subject: str, work: Coroutine[Any, Any, T]) -> T:
        """Runs a handler, so that the next server knows of it if this one dies while the handler's code runs."""
        result = await self._marks.watched(_name(lane, subject), work)
        if (lane, subject) in self._suspects:
            await self._clear(lane, subject)
        return result

    def marked(self, lane: str, subject: str) -> AbstractContextManager[None]:
        """Returns a context for a thread, in which it works on a subject."""
        return self._marks.on_thread(_name(lane, subject))

    def reason(self, execution: str) -> str:
        """Returns why an execution is set aside, for people to read; empty if it is not."""
        for lane in (RUN, ADVANCE):
            suspect = self._suspects.get((lane, execution))
            if suspect is not None and _is_aside(suspect):
                return (
                    f"set aside: the server died {suspect.deaths} times while it worked on this. "
                    f"When the cause is gone, try it again: squall queue retry {execution}"
                )
        return ""

    def aside(self) -> list[Suspect]:
        """Returns what is set aside, the oldest first."""
        return sorted(filter(_is_aside, self._suspects.values()), key=lambda each: (each.since, each.subject))

    async def retry(self, subject: str) -> list[Suspect]:
        """Lets the server work again on what is set aside. If the server dies of it once more, it is set aside again.

        Returns the suspects. Raises `NotFoundError` if nothing of that id is set aside.
        """
        chosen = [each for each in self.aside() if each.subject == subject]
        if not chosen:
            raise NotFoundError(f'Nothing with the id "{subject}" is set aside. Run: squall queue list')
        retried = [Suspect(each.lane, each.subject, DEATHS - 1, each.since) for each in chosen]

        async def work(tx: Tx) -> None:
            for each in retried:
                await tx.suspects.put(each)
                # Rows of other subjects in the lane are put back when they are claimed.
                await tx.queue.wake(each.lane, NEVER, AT_ONCE)

        # A claim that comes right after this transaction must not put the rows back.
        self._suspects = {**self._suspects, **{(each.lane, each.subject): each for each in retried}}
        try:
            await self._store.tx(work)
        except BaseException:
            self._suspects = {**self._suspects, **{(each.lane, each.subject): each for each in chosen}}
            raise
        for each in retried:
            self._bus.publish(each.lane, subject)
        return retried

    async def _clear(self, lane: str, subject: str) -> None:
        """Ends the suspicion of a subject. If the database cannot be written, the suspicion stays until the subject is
        handled again: the handler has done its work, so this is no failure of it."""
        try:
            await self._store.tx(lambda tx: tx.suspects.remove(lane, subject))
        except RETRIED as error:
            extra = {"lane": lane, "subject": subject, "error": str(error)}
            _LOG.warning("work that succeeded could not be cleared of its suspicion", extra=extra)
            return
        self._suspects = {key: each for key, each in self._suspects.items() if key != (lane, subject)}

    def _due(self, lane: str, subject: str) -> int:
        """Returns the time (µs) from which rows of a subject may be claimed."""
        suspect = self._suspects.get((lane, subject))
        if suspect is None:
            return 0
        return NEVER if _is_aside(suspect) else self._turns.get((lane, subject), 0)


def _name(lane: str, subject: str) -> str:
    return f"{lane} {subject}"


def _subject(name: str) -> tuple[str, str] | None:
    """Returns the lane and the subject of a mark; None for what a damaged file has instead of a mark."""
    lane, _, subject = name.partition(" ")
    return (lane, subject) if lane in _LANES and is_id(subject) else None


def _is_aside(suspect: Suspect) -> bool:
    return suspect.deaths >= DEATHS
