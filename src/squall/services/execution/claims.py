"""What workers do with executions: claim those that are due, and end them with their outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from squall.core.event.events import EXECUTION
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution, ExecutionFilter
from squall.core.execution.launch import Outcome
from squall.ports import Bus, Clock, Due, Store, Tx
from squall.services.execution.transitions import Transitions
from squall.services.lanes import CHANGED, RUN


class Claims:
    """Claimed executions: a lease on the queue row makes them one worker's, until it ends them or lets it run out."""

    def __init__(self, store: Store, bus: Bus, clock: Clock, transitions: Transitions) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._transitions = transitions

    async def claim(
        self, owner: str, lease: int, limit: int, runner_info: dict[str, Any]
    ) -> list[tuple[Due, Execution, int]]:
        """Takes due executions to run: each with its task and the event row that tells that it runs.

        Those that a policy holds back are put in line, or canceled, and not given.

        `lease` is in µs; `runner_info` (host name and pid of the worker) is shown with the execution.

        One that an earlier worker had begun is given as it stands, `running` or `canceling`: its process may well live.
        """
        now = self._clock.now()
        touched: set[str] = set()
        refused: list[Execution] = []

        async def work(tx: Tx) -> list[tuple[Due, Execution, int]]:
            claimed = []
            touched.clear()
            refused.clear()
            for task in await tx.queue.claim(RUN, owner, now, lease, limit):
                execution = await tx.executions.get(task.key, False)
                if execution is None or execution.status in ex.FINAL:
                    await tx.queue.done(task)
                    continue
                touched.add(execution.tree)
                if execution.status in (ex.REQUESTED, ex.DELAYED):
                    if not await self._transitions.admit(tx, execution, now):
                        await tx.queue.done(task)
                        refused.append(execution)
                        continue
                    execution, _ = await self._transitions.move(tx, execution, ex.SCHEDULED, now)
                    execution = msgspec.structs.replace(execution, runner_info=runner_info)
                    execution, row = await self._transitions.move(tx, execution, ex.RUNNING, now)
                else:
                    row = max((event.id for event in await tx.events.of(EXECUTION, execution.id)), default=0)
                claimed.append((task, execution, row))
            return claimed

        claimed = await self._store.tx(work)
        for tree in touched:
            self._bus.publish(CHANGED, tree)
        for execution in refused:
            self._transitions.hint(execution)
        return claimed

    async def finish(self, task: Due, execution: Execution, outcome: Outcome) -> bool:
        """Ends an execution with its outcome, unless it has ended already; false when another worker has taken it over,
        who will end it."""
        now = self._clock.now()

        async def work(tx: Tx) -> bool:
            current = await tx.executions.get(execution.id, False)
            if current is not None and ex.COMPLETED_AS in current.context:
                current = await tx.executions.get(execution.id)
            if current is None or current.status in ex.FINAL:
                await tx.queue.done(task)
                return True
            if not await tx.queue.done(task):
                return False
            # It may have ended long before a server was there to hear of it.
            at = min(now, max(outcome.at, current.log[-1].at)) if outcome.at else now
            current = msgspec.structs.replace(current, runner_info=current.runner_info | outcome.used)
            ended = await self._transitions.conclude(tx, current, outcome.status, outcome.result, at)
            if (told := outcome.announcement) is not None and ended.status == ex.SUCCEEDED:
                await tx.events.add(told.change(ended.id, ended.tree, at), told.document(ended.context))
            return True

        ended = await self._store.tx(work)
        self._transitions.hint(execution)
        return ended

    async def stopping(self, execution_ids: Sequence[str]) -> list[str]:
        """Returns those of these executions whose processes must stop: canceled ones, and those a client completed."""
        if not execution_ids:
            return []
        where = ExecutionFilter(ids=tuple(execution_ids))
        found = await self._store.read(lambda tx: tx.executions.find(where, None, 0, False))
        return [each.id for each in found if each.status == ex.CANCELING or ex.COMPLETED_AS in each.context]

    async def ended(self, execution_ids: Sequence[str]) -> set[str]:
        """Which of these have a final status, or are not known at all."""
        found = await self._store.read(
            lambda tx: tx.executions.find(ExecutionFilter(ids=tuple(execution_ids)), None, 0, False)
        )
        return set(execution_ids) - {execution.id for execution in found if execution.status not in ex.FINAL}
