"""Applies retry policies: requests a failed execution again in the transaction that ends it."""

from __future__ import annotations

import msgspec

from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution, LogEntry
from squall.core.execution.policy import Policy, retried, retry_after
from squall.ports import Clock, Tx
from squall.services.execution.transitions import Transitions


class Retries:
    """Retries failed executions as often as a policy allows. Children are left out: their workflow retries them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def moved(self, tx: Tx, execution: Execution, transitions: Transitions, now: int) -> None:
        """Requests a new execution if this one has just failed and a policy of its action allows a retry."""
        if execution.status not in (ex.FAILED, ex.TIMEOUT, ex.ABANDONED) or execution.parent is not None:
            return
        _, count = retried(execution.context)
        for policy in await tx.policies.find(execution.action):
            delay = retry_after(policy, execution.status, count) if policy.enabled else None
            if delay is not None:
                await transitions.enter(tx, self._retry(execution, policy, count + 1, delay, now), now)
                return

    def _retry(self, failed: Execution, policy: Policy, number: int, delay: int, now: int) -> Execution:
        applied = {"applied_policy": policy.ref, "retry_count": number, "retried_liveaction_id": failed.id}
        section = failed.context.get("policies")
        policies = section if isinstance(section, dict) else {}
        context = {key: value for key, value in failed.context.items() if key != "cancelled_by"}
        new_id = self._clock.new_id()
        return msgspec.structs.replace(
            failed,
            id=new_id,
            tree=new_id,
            status=ex.REQUESTED,
            start=now,
            end=None,
            delay=delay or None,
            attempt=0,
            context={**context, "policies": {**policies, "retry": applied}},
            runner_info={},
            result=None,
            result_size=0,
            log=(LogEntry(now, ex.REQUESTED),),
        )
