"""Waits for what events lead to: until all rules of an event are evaluated.

One loop looks for all requests that wait, so a waiting request costs one entry in a dict.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from functools import partial

import msgspec

from squall.core.environment import RETRIED
from squall.core.event.rules.records import (
    PROCESSED,
    PROCESSING_FAILED,
    Enforcement,
    EnforcementFilter,
    KeptBack,
    TriggerInstance,
)
from squall.core.execution.execution import Execution
from squall.ports import Bus, Store, Tx
from squall.services.lanes import CHANGED

_LOG = logging.getLogger("squall.webhooks")
_ENDED = frozenset({PROCESSED, PROCESSING_FAILED})
_PAUSE = 0.01
"""The seconds between two looks, however many hints come."""

_BACK_OFF = 0.5
_AT_ONCE = 500
_MOST = 1_000


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What an event has led to. `is_complete` is false if its rules are not yet evaluated. `enforcements` and
    `executions` are at most 1,000, the oldest first. `kept_back` are the matches that have not fired."""

    status: str
    reason: str
    is_complete: bool
    enforcements: Sequence[Enforcement]
    executions: Sequence[Execution]
    kept_back: Sequence[KeptBack] = ()


class Outcomes:
    """The requests that wait for the evaluation of their events. `poll` is in seconds."""

    def __init__(self, store: Store, bus: Bus, *, poll: float) -> None:
        self._store = store
        self._bus = bus
        self._poll = poll
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._arrived = asyncio.Event()
        self._stopped = False

    async def run(self) -> None:
        """Ends the waits whose events are evaluated, until cancelled."""
        while True:
            await self._arrived.wait()
            with self._bus.subscribe(CHANGED) as hints:
                while self._waiting:
                    try:
                        await self._look()
                    except RETRIED as error:
                        _LOG.warning("could not look at events; trying again", extra={"error": str(error)})
                        await asyncio.sleep(_BACK_OFF)
                    await asyncio.sleep(_PAUSE)
                    if self._waiting:
                        await hints.wait(self._poll)
            self._arrived.clear()

    def stop(self) -> None:
        """Ends all waits, now and later, because the server stops."""
        self._stopped = True
        for waits in self._waiting.values():
            for wait in waits:
                _end(wait)

    async def of(self, instance: TriggerInstance, seconds: float) -> Outcome:
        """Returns what an event has led to, when its rules are evaluated, after `seconds`, or when the server stops."""
        wait = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(instance.id, []).append(wait)
        self._arrived.set()
        try:
            outcome = await self._outcome(instance)
            if not outcome.is_complete and not self._stopped:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await wait
                outcome = await self._outcome(instance)
        finally:
            waits = self._waiting[instance.id]
            waits.remove(wait)
            if not waits:
                del self._waiting[instance.id]
        return outcome

    async def _look(self) -> None:
        waiting = list(self._waiting)
        for at in range(0, len(waiting), _AT_ONCE):
            ids = waiting[at : at + _AT_ONCE]
            statuses = await self._store.read(partial(_statuses, ids=ids))
            for instance_id in ids:
                if statuses.get(instance_id, PROCESSED) in _ENDED:
                    for wait in self._waiting.get(instance_id, ()):
                        _end(wait)

    async def _outcome(self, instance: TriggerInstance) -> Outcome:
        async def work(tx: Tx) -> Outcome:
            status = (await tx.instances.statuses([instance.id])).get(instance.id, PROCESSED)
            enforcements, executions = await executions_of(tx, instance.id)
            fired = {each.rule.id for each in enforcements}
            return Outcome(
                status=status,
                reason=instance.reason,
                is_complete=status in _ENDED,
                enforcements=enforcements,
                executions=executions,
                kept_back=[each for each in await tx.kept_back.of((instance.id,)) if each.rule not in fired],
            )

        return await self._store.read(work)


async def executions_of(tx: Tx, instance_id: str) -> tuple[list[Enforcement], list[Execution]]:
    """Returns the enforcements of a trigger instance and their executions, at most 1,000, without results."""
    where = EnforcementFilter(instances=(instance_id,), newest_first=False)
    enforcements = list(await tx.enforcements.find(where, _MOST, 0))
    executions = []
    for enforcement in enforcements:
        if enforcement.execution_id is None:
            continue
        execution = await tx.executions.get(enforcement.execution_id, with_result=False)
        if execution is not None:
            executions.append(execution)
    return enforcements, executions


async def _statuses(tx: Tx, ids: Sequence[str]) -> Mapping[str, str]:
    return await tx.instances.statuses(ids)


def _end(wait: asyncio.Future[None]) -> None:
    if not wait.done():
        wait.set_result(None)
