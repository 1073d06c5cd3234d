"""Compares the end of a schedule with a plain model of what must have come of its work."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tests.simulation.happenings import check_events
from tests.simulation.pack import SLOTS
from tests.simulation.server import World

from squall.core.event.events import EXECUTION, Event
from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution, ExecutionFilter
from squall.core.execution.statuses import TRANSITIONS
from squall.core.output import journal as codec
from squall.ports import Tx
from squall.services.lanes import UNSYNCED

if TYPE_CHECKING:
    from tests.simulation.schedule import Accepted, History, Plan


class Seen:
    """Everything that is stored at the end of a schedule."""

    def __init__(self) -> None:
        self.executions: dict[str, Execution] = {}
        self.events: dict[str, list[Event]] = {}
        self.depths: dict[str, int] = {}
        self.slots = 0


def check(world: World, history: History, plan: Plan) -> list[str]:
    """Returns what is wrong at the end of a schedule, one text for each fault."""
    seen = world.disk.unit(_look, write=False, durable=False)
    seen.slots = len(world.disk.connection.execute("SELECT id FROM slots").fetchall())
    # Rows of lane `unsynced` stay until journals are sealed, which the simulation never does.
    complaints = [
        f"the lane {lane} has {count} rows" for lane, count in seen.depths.items() if count and lane != UNSYNCED
    ]
    if seen.slots:
        complaints.append(f"{seen.slots} slots are still held or waited for")
    for execution in seen.executions.values():
        complaints += [
            f"{execution.id} {execution.action}: {text}" for text in _of_one(world, seen, execution, plan.servers > 1)
        ]
    complaints += _of_slots(seen)
    complaints += _of_clients(seen, history)
    complaints += check_events(world, history.sent, seen.executions, plan.servers)
    return complaints


async def _look(tx: Tx) -> Seen:
    seen = Seen()
    for execution in await tx.executions.find(ExecutionFilter(newest_first=False), None, 0, True):
        seen.executions[execution.id] = execution
        seen.events[execution.id] = list(await tx.events.of(EXECUTION, execution.id))
    seen.depths = dict(await tx.queue.depths())
    return seen


def _of_one(world: World, seen: Seen, execution: Execution, two_servers: bool) -> list[str]:
    complaints = []
    statuses = [entry.status for entry in execution.log]
    if execution.status not in ex.FINAL:
        return [f"it has not ended: {statuses}"]
    told = [event.status for event in seen.events[execution.id]]
    if told != statuses:
        complaints.append(f"its events say {told}, its log {statuses}")
    for before, after in pairwise(statuses):
        if after not in TRANSITIONS[before]:
            complaints.append(f"{before} became {after}")
    if sum(status in ex.FINAL for status in statuses) != 1:
        complaints.append(f"it has not one end: {statuses}")
    times = [entry.at for entry in execution.log]
    if times != sorted(times):
        complaints.append(f"its log goes back in time: {times}")
    starts = sum(count for (unit, _), count in world.keeper.starts.items() if unit == execution.id)
    # A server that stood still beyond its lease knows nothing of the other one, which has begun and ended the process.
    # On a real machine the lock of the data directory keeps the other one out.
    if starts > 1 and two_servers:
        return complaints
    if starts > 1:
        complaints.append(f"its process was started {starts} times")
    return complaints + _of_journal(world, execution, statuses, two_servers)


def _of_journal(world: World, execution: Execution, statuses: list[str], two_servers: bool) -> list[str]:
    records = [each for each in world.keeper.journals.get(execution.tree, ()) if each.execution == execution.id]
    output = b"".join(record.payload for record in records if record.kind == codec.OUTPUT).decode()
    complaints = []
    if not "line 0 of it\nline 1 of it\nline 2 of it\nline 3 of it\n".startswith(output):
        complaints.append(f"its output is {output!r}")
    result = execution.result if isinstance(execution.result, dict) else {}
    if execution.status in (ex.SUCCEEDED, ex.FAILED) and "stdout" in result:
        stored = result["stdout"]
        if stored != output.removesuffix("\n"):
            complaints.append(f"its result has {stored!r}, its journal {output!r}")
    told = [record for record in records if record.kind == codec.STATUS]
    end = f'{{"status":"{execution.status}"}}'.encode()
    ends = [record for record in told if bytes(record.payload) == end]
    # Two servers may copy two statuses of an execution at the same time. One server copies them in order.
    if told and (len(ends) != 1 or (not two_servers and told[-1] is not ends[0])):
        complaints.append(f"its status records are {[bytes(each.payload) for each in told]}, its log {statuses}")
    kinds = [record.kind for record in records]
    if codec.OUTPUT in kinds and (not told or records[-1].kind != codec.STATUS):
        complaints.append(f"output stands behind its end: {kinds}")
    return complaints


def _of_slots(seen: Seen) -> list[str]:
    """Checks by the order of events that no policy had more executions at once than it allows. What waits for people
    holds no slot, and needs none when it goes on."""
    complaints = []
    for action, threshold in SLOTS.items():
        changes: list[tuple[int, int]] = []
        for execution in seen.executions.values():
            events = seen.events[execution.id]
            taken = [event.id for event in events if event.status == ex.SCHEDULED]
            released = [event.id for event in events if event.status in (*ex.FINAL, ex.PAUSED)]
            # A child of a workflow waits only for other children and single executions.
            if execution.action == action and execution.parent is None and taken and released:
                changes += [(taken[0], 1), (released[0], -1)]
        held = most = 0
        for _, change in sorted(changes):
            held += change
            most = max(most, held)
        if most > threshold:
            complaints.append(f"{most} of {action} ran at once; its policy allows {threshold}")
    return complaints


def _of_clients(seen: Seen, history: History) -> list[str]:
    complaints: list[str] = []
    roots = [each for each in seen.executions.values() if each.parent is None and "rule" not in each.context]
    answered = {each.execution.id for each in history.accepted if each.execution is not None}
    unanswered = sum(each.execution is None for each in history.accepted) + history.refused
    retried = [each for each in roots if "retry" in each.context.get("policies", {})]
    if len(roots) - len(retried) > len(answered) + unanswered:
        complaints.append(f"{len(roots)} root executions come of {len(answered)} accepted and {unanswered} unanswered")
    for accepted in history.accepted:
        if accepted.execution is not None:
            complaints += _of_request(seen, history, accepted, accepted.execution)
    return complaints


def _of_request(seen: Seen, history: History, accepted: Accepted, answer: Execution) -> list[str]:
    execution = seen.executions.get(answer.id)
    if execution is None:
        return [f"{answer.id} {answer.action} was accepted and is gone"]
    below = sorted((each.action, each.status) for each in seen.executions.values()
                   if each.tree == execution.tree and each.parent is not None)  # fmt: skip
    where = f"{execution.id} {execution.action}"
    if execution.tree in history.disturbed:
        return []
    if history.lossy:
        return []
    complaints = []
    outcome = accepted.piece.outcome
    if execution.status != outcome.status:
        complaints.append(f"{where} ended {execution.status}, not {outcome.status}: {_text(execution.result)}")
    if below != sorted(outcome.below) and (outcome.exact or Counter(below) - Counter(outcome.below)):
        complaints.append(f"{where} has below it {below}, not {sorted(outcome.below)}")
    return complaints


def _text(result: Any) -> str:
    return repr(result)[:300]
