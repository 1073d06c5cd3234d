"""Claims due executions for workers, and ends them with their outcomes."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any

import msgspec

from squall.core.event.events import EXECUTION
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution, ExecutionFilter
from squall.core.execution.launch import Outcome
from squall.ports import Bus, Clock, Due, Store, Tx
from squall.services.execution.reservations import Claimed, Claimer
from squall.services.execution.transitions import Transitions
from squall.services.lanes import CHANGED, RUN
from squall.services.suspects import Suspects


class Claims:
    """The claims of workers: a lease on the queue row gives an execution to one worker until it ends or expires."""

    def __init__(self, store: Store, bus: Bus, clock: Clock, transitions: Transitions, suspects: Suspects) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._transitions = transitions
        self._suspects = suspects

    async def claim(self, claimer: Claimer, limit: int) -> list[Claimed]:
        """Claims due executions. Leaves out executions that a policy delays or cancels.

        If an earlier worker has started an execution, it keeps its status `running` or `canceling`, because its process
        may still live.
        """
        now = self._clock.now()
        touched: set[str] = set()
        refused: list[Execution] = []

        async def work(tx: Tx) -> list[Claimed]:
            claimed = []
            touched.clear()
            refused.clear()
            for task in await self._suspects.claim(tx, RUN, now, claimer.lease, limit, owner=claimer.owner):
                with self._suspects.marked(RUN, task.key):
                    execution = await tx.executions.get(task.key, False)
                    if execution is None or execution.status in ex.FINAL:
                        await tx.queue.done(task)
                        continue
                    touched.add(execution.tree)
                    begun = await self._begin(tx, execution, now, claimer.info)
                    if begun is None:
                        await tx.queue.done(task)
                        refused.append(execution)
                    else:
                        claimed.append(Claimed(task, *begun))
            return claimed

        claimed = await self._store.tx(work)
        for tree in touched:
            self._bus.publish(CHANGED, tree)
        for execution in refused:
            self._transitions.hint(execution)
        return claimed

    async def _begin(
        self, tx: Tx, execution: Execution, now: int, info: dict[str, Any]
    ) -> tuple[Execution, int] | None:
        """Begins to run a claimed execution, unless an earlier worker has. Returns it with the row of its `running`
        event; None if a policy delays or cancels it."""
        if execution.status not in (ex.REQUESTED, ex.DELAYED):
            return execution, max((event.id for event in await tx.events.of(EXECUTION, execution.id)), default=0)
        return await self._transitions.begin(tx, execution, info, now)

    async def give_back(self, claimed: Sequence[Claimed]) -> None:
        """Ends the claims of a transaction that may have been committed, so that a worker takes the executions at once.

        Reads `claimed` in a transaction of its own: the one of a cancelled task still runs, before this one.
        """

        async def work(tx: Tx) -> None:
            now = self._clock.now()
            for each in claimed:
                # After a rollback, another row may have the id of the claimed one.
                if await tx.executions.get(each.execution.id, False) is not None:
                    await tx.queue.release(each.task, now)

        await self._store.tx(work)
        for each in claimed:
            self._bus.publish(RUN, each.execution.id)

    async def watched(self, execution: str, work: Coroutine[Any, Any, None]) -> None:
        """Runs the handler of a claimed execution, so that the next server knows of it if this one dies of it."""
        await self._suspects.watched(RUN, execution, work)

    async def finish(self, task: Due, execution: Execution, outcome: Outcome) -> bool:
        """Ends an execution with its outcome, unless it has ended already. Returns False if another worker has claimed
        it; that worker will end it."""
        now = self._clock.now()

        async def work(tx: Tx) -> bool:
            current = await tx.executions.get(execution.id, False)
            if current is not None and ex.COMPLETED_AS in current.context:
                current = await tx.executions.get(execution.id)
            if outcome.account is not None:
                await tx.journals.account(outcome.account)
            if current is None or current.status in ex.FINAL:
                await tx.queue.done(task)
                return True
            if not await tx.queue.done(task):
                return False
            # The process may have ended long before a server ran to receive its end.
            at = min(now, max(outcome.at, current.log[-1].at)) if outcome.at else now
            current = msgspec.structs.replace(current, runner_info=current.runner_info | outcome.used)
            ended = await self._transitions.conclude(tx, current, outcome.status, outcome.result, at)
            if (announcement := outcome.announcement) is not None and ended.status == ex.SUCCEEDED:
                change = announcement.change(ended.id, ended.tree, at)
                await tx.events.add(change, announcement.document(ended.context))
            return True

        ended = await self._store.tx(work)
        self._transitions.hint(execution)
        return ended

    async def current(self, execution: Execution) -> Execution:
        """Returns an execution as it is stored now, or as it was if it has been removed."""
        return await self._store.read(lambda tx: tx.executions.get(execution.id, False)) or execution

    async def stopping(self, execution_ids: Sequence[str]) -> list[str]:
        """Returns the executions whose processes must stop, because they were canceled or a client completed them."""
        if not execution_ids:
            return []
        where = ExecutionFilter(ids=tuple(execution_ids))
        executions = await self._store.read(lambda tx: tx.executions.find(where, None, 0, False))
        return [row.id for row in executions if row.status == ex.CANCELING or ex.COMPLETED_AS in row.context]

    async def ended(self, execution_ids: Sequence[str]) -> set[str]:
        """Returns the ids whose executions have a final status or do not exist."""
        executions = await self._store.read(
            lambda tx: tx.executions.find(ExecutionFilter(ids=tuple(execution_ids)), None, 0, False)
        )
        return set(execution_ids) - {execution.id for execution in executions if execution.status not in ex.FINAL}
