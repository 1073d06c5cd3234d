"""Decides about fires of a timer while earlier ones run: they start, wait, are left out, or cancel the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from squall.core.event.schedules.fire import Fire
from squall.core.event.schedules.lateness import Policy, at_overlap
from squall.core.event.schedules.misfires import Missed
from squall.core.event.timers.records import Timer
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution
from squall.ports import Tx
from squall.services.execution.control import stop_tree
from squall.services.execution.transitions import Transitions

MOST_WAITING: Final = 1_000
"""The most fires of one timer that wait; more are left out."""

_EVALUATION: Final = 500_000
"""The time (µs) after which a timer is looked at again if a fire of it waits for the evaluation of an earlier one."""


class Admitted(NamedTuple):
    """The fires that start now, those that wait, those that never happen, when to look again at the latest (µs since
    1970), and the executions that were canceled for them."""

    starts: Sequence[Fire]
    waiting: Sequence[Fire] = ()
    missed: Sequence[Missed] = ()
    again: int | None = None
    canceled: Sequence[Execution] = ()


class Overlapping:
    """The overlap policies of timers. Their state is in the store."""

    def __init__(self, transitions: Transitions) -> None:
        self._transitions = transitions

    async def admit(self, tx: Tx, timer: Timer, policy: Policy, fires: Sequence[Fire], now: int) -> Admitted:
        """Decides about new fires of a timer, and about those that wait, in the transaction `tx`."""
        if policy.overlap == "allow":
            return Admitted(fires)
        trigger_id = timer.trigger.id
        running = await tx.fires.running(trigger_id)
        waiting = list(await tx.fires.waiting(trigger_id))
        if policy.overlap == "cancel_other":
            return await self._newest(tx, timer, policy, running, waiting, fires, now)
        starts: list[Fire] = []
        missed: list[Missed] = []
        if waiting and not running:
            starts.append(waiting.pop(0))
        for fire in fires:
            decision = at_overlap(policy, len(running) + len(starts), len(waiting))
            if decision == "start":
                starts.append(fire)
            elif decision == "wait" and len(waiting) < MOST_WAITING:
                waiting.append(fire)
                await tx.fires.wait(trigger_id, fire)
            else:
                missed.append(_left_out(policy, fire, len(waiting)))
        evaluates = bool(starts) or any(pending for _, pending in running)
        return Admitted(starts, waiting, missed, now + _EVALUATION if waiting and evaluates else None)

    async def _newest(
        self,
        tx: Tx,
        timer: Timer,
        policy: Policy,
        running: Sequence[tuple[str, bool]],
        waiting: Sequence[Fire],
        fires: Sequence[Fire],
        now: int,
    ) -> Admitted:
        """Cancels what runs for the newest fire. That waits until all earlier ones are evaluated, because otherwise
        they would start something behind the cancel."""
        if not waiting and not fires:
            return Admitted(())
        *replaced, newest = [*waiting, *fires]
        trigger_id = timer.trigger.id
        missed = []
        for fire in replaced:
            await tx.fires.drop(trigger_id, fire.at)
            reason = f"The fire of {newest.local} came before it could start (overlap cancel_other)."
            missed.append(Missed(fire.at, fire.at, reason))
        if any(pending for _, pending in running):
            await tx.fires.wait(trigger_id, newest)
            return Admitted((), (newest,), missed, now + _EVALUATION)
        canceled: list[Execution] = []
        if at_overlap(policy, len(running), 0) == "cancel":
            for execution_id in await tx.fires.executions(trigger_id):
                execution = await tx.executions.get(execution_id)
                if execution is not None and execution.status in ex.CANCELABLE:
                    canceled += await stop_tree(tx, self._transitions, execution, f"timer {timer.trigger.ref}", now)
        return Admitted((newest,), (), missed, None, canceled)


def _left_out(policy: Policy, fire: Fire, waiting: int) -> Missed:
    others = f", and {waiting} more wait" if waiting else ""
    return Missed(fire.at, fire.at, f"An earlier fire still runs{others} (overlap {policy.overlap}).")
