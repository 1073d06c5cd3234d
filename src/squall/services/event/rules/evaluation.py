"""Evaluates stored events: those of one trigger in the order of storing, those of several triggers side by side."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from itertools import islice

import msgspec

from squall.core.environment import back_off, is_of_environment
from squall.core.event.rules.changes import UPDATE, change_document, change_of
from squall.core.event.rules.records import PROCESSING_FAILED, TriggerInstance
from squall.ports import Clock, Due, Store, Tx
from squall.services.event.rules.book import RuleBook
from squall.services.event.rules.deciding import Deciding, Decision
from squall.services.event.rules.enforcing import LEASE, Enforcing, LostRowError
from squall.services.lanes import RULES, PayloadError, evaluation_of
from squall.services.suspects import Suspects

_LOG = logging.getLogger("squall.rules")
MOST = 256
"""The most rows that one call of `advance` claims."""

_LONG = 0.1
"""The seconds of decisions after which those that are made are written."""

_BATCH = 64
_BATCH_BYTES = 4 << 20
_MOST_WAITING = 20_000
_MOST_ATTEMPTS = 3
_RETRY_DELAY = 500_000
_UNREADABLE_DELAY = 60_000_000


class _RulesChangedError(Exception):
    """A rule has changed since a decision was made."""


class Evaluation:
    """Evaluates the instances in lane `rules`."""

    def __init__(
        self, store: Store, clock: Clock, suspects: Suspects, book: RuleBook, deciding: Deciding, enforcing: Enforcing
    ) -> None:
        self._store = store
        self._clock = clock
        self._suspects = suspects
        self._book = book
        self._deciding = deciding
        self._enforcing = enforcing
        self._lines: dict[str, dict[str, Due]] = {}
        self._waiting = 0
        self._defects: dict[str, int] = {}

    async def advance(self, group: asyncio.TaskGroup) -> int:
        """Claims at most `MOST` due rows. Returns their number. One task of `group` for each trigger evaluates its
        instances in order, so that no trigger waits for another."""
        if self._waiting >= _MOST_WAITING:
            await asyncio.sleep(0.01)
            return MOST
        claim = partial(self._suspects.claim, lane=RULES, now=self._clock.now(), lease=LEASE, limit=MOST)
        tasks = await self._store.tx(claim, durable=False)
        unreadable: list[Due] = []
        for task in tasks:
            try:
                trigger = evaluation_of(task).trigger
            except PayloadError as error:
                _LOG.error("an event waits for a version that can read its row", extra={"error": str(error)})
                unreadable.append(task)
                continue
            if trigger not in self._lines:
                self._lines[trigger] = {}
                group.create_task(self._drain(trigger), name=f"rules of {trigger}")
            self._waiting += task.key not in self._lines[trigger]
            # A row whose lease was over is claimed again: it keeps its place.
            self._lines[trigger][task.key] = task
        if unreadable:
            later = self._clock.now() + _UNREADABLE_DELAY
            await self._store.tx(partial(_release, tasks=unreadable, available=later))
        return len(tasks)

    async def _drain(self, trigger: str) -> None:
        """Evaluates the instances of a trigger until there are no more. Waits as long as the environment makes that
        fail, because later instances must not overtake earlier ones."""
        line = self._lines[trigger]
        failures = 0
        singles = 0
        while line:
            # After a failure, the instances of the batch are handled one by one, so that only one of them can fail.
            tasks = list(islice(line.values(), 1 if singles else _BATCH))
            try:
                await self._handle(tasks, line)
                failures, singles = 0, max(singles - 1, 0)
            except LostRowError as error:
                if line.get(error.instance) in tasks:
                    self._leave(line, error.instance)
            except Exception as error:
                if len(tasks) > 1:
                    singles = len(tasks)
                if is_of_environment(error):
                    failures += 1
                    _LOG.warning("events wait for their evaluation", extra={"trigger": trigger, "error": str(error)})
                    await asyncio.sleep(back_off(failures))
                elif len(tasks) == 1:
                    await self._fail_or_release(tasks[0], line, error)
                    failures, singles = 0, max(singles - 1, 0)
        del self._lines[trigger]

    async def _handle(self, tasks: Sequence[Due], line: dict[str, Due]) -> None:
        instances = await self._store.read(lambda tx: tx.instances.load([task.key for task in tasks], _BATCH_BYTES))
        by_id = {instance.id: instance for instance in instances}
        if not by_id:
            await self._store.tx(partial(_discard, tasks=tasks))
            for task in tasks:
                self._leave(line, task.key)
            return
        while not await self._evaluated(
            [by_id[task.key] for task in tasks if task.key in by_id and task.key in line], line
        ):
            self._book.clear()

    async def _evaluated(self, instances: Sequence[TriggerInstance], line: dict[str, Due]) -> bool:
        """Decides about instances and writes the decisions: all together, or as soon as one took long. Returns False if
        a rule has changed meanwhile, so that the instances which are still in line must be handled again."""
        seconds = asyncio.get_running_loop().time
        decisions: list[Decision] = []

        async def early(decision: Decision) -> None:
            if not await self._write([*decisions, decision], line):
                raise _RulesChangedError
            decisions.clear()

        began = seconds()
        for instance in instances:
            deciding = self._deciding.decide(instance, early)
            try:
                decisions.append(await self._suspects.watched(RULES, instance.id, deciding))
            except _RulesChangedError:
                return False
            if seconds() - began > _LONG:
                if not await self._write(decisions, line):
                    return False
                decisions.clear()
                began = seconds()
        return await self._write(decisions, line)

    async def _write(self, decisions: Sequence[Decision], line: dict[str, Due]) -> bool:
        """Writes decisions. Instances whose evaluation has ended leave the line."""
        # A lease may have ended during a long decision: this process then has claimed the row again.
        rows = [(line[decision.instance.id], decision) for decision in decisions]
        if not await self._enforcing.write(rows):
            return False
        for _, decision in rows:
            if decision.ends:
                self._defects.pop(decision.instance.id, None)
                self._leave(line, decision.instance.id)
        return True

    def _leave(self, line: dict[str, Due], instance_id: str) -> None:
        if line.pop(instance_id, None) is not None:
            self._waiting -= 1

    async def _fail_or_release(self, task: Due, line: dict[str, Due], error: Exception) -> None:
        """Tries again a few times after a defect, then gives the instance up with the error as its reason."""
        _LOG.error("the evaluation of an event failed", exc_info=error, extra={"instance": task.key})
        now = self._clock.now()
        # The attempts of the row also count leases that ended while it waited in line.
        defects = self._defects.get(task.key, 0) + 1
        gives_up = defects >= _MOST_ATTEMPTS

        async def work(tx: Tx) -> None:
            if not gives_up:
                await tx.queue.release(task, now + _RETRY_DELAY)
                return
            if not await tx.queue.done(task):
                return
            instance = await tx.instances.get(task.key)
            if instance is not None:
                await self._fail(tx, instance, f"{type(error).__name__}: {error}", now)

        try:
            await self._store.tx(work)
        except Exception:
            _LOG.exception("the failure of an evaluation could not be stored", extra={"instance": task.key})
            await asyncio.sleep(back_off(1))
            return
        if gives_up:
            self._defects.pop(task.key, None)
        else:
            self._defects[task.key] = defects
        self._leave(line, task.key)

    async def _fail(self, tx: Tx, instance: TriggerInstance, reason: str, now: int) -> None:
        failed = msgspec.structs.replace(instance, status=PROCESSING_FAILED, evaluated_at=now, reason=reason[:1000])
        await tx.instances.settle(failed)
        await tx.events.add(change_of(failed, UPDATE, now), change_document(failed))


async def _release(tx: Tx, tasks: Sequence[Due], available: int) -> None:
    """Lets rows be claimed again from `available` (µs) on."""
    for task in tasks:
        await tx.queue.release(task, available)


async def _discard(tx: Tx, tasks: Sequence[Due]) -> None:
    """Removes the rows of instances that do not exist."""
    for task in tasks:
        await tx.queue.done(task)
