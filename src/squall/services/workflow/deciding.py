"""Passes events to a workflow's conductor and collects its steps. It evaluates expressions: call it on a thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from squall.core.execution import execution as ex
from squall.core.execution.execution import Execution
from squall.core.workflow.conducting import status as st
from squall.core.workflow.conducting.conductor import Conductor, Step
from squall.core.workflow.conducting.engine import ITEM_REFUSED, Note, RunAction
from squall.core.workflow.conducting.rerun import RerunError
from squall.ports import Due
from squall.services.lanes import ChildChanged, MoreToDo, StatusRequested, advance_of
from squall.services.workflow.run import Run


def decide(run: Run, tasks: list[Due], now: int) -> tuple[list[Step], list[str]]:
    """Passes the events in `tasks` to the conductor, in order. Returns its steps, and the statuses that were requested.

    `now` is in µs since 1970.
    """
    conductor = run.conductor
    assert conductor is not None  # noqa: S101 - the caller has checked it
    steps: list[Step] = []
    requested: list[str] = []
    if run.begins:
        steps.append(_first(run, conductor, now))
        run.begins = False
    for task in tasks:
        advance = advance_of(task)
        if isinstance(advance, ChildChanged):
            steps += _child(run, conductor, run.changes.get(advance.execution), advance.status, now)
        elif isinstance(advance, StatusRequested):
            requested.append(advance.status)
            steps.append(conductor.request(advance.status, now))
            if advance.status == ex.RESUMING:
                steps.append(conductor.request(ex.RUNNING, now))
        elif isinstance(advance, MoreToDo):
            steps.append(conductor.advance(now))
    return steps, requested


def _first(run: Run, conductor: Conductor, now: int) -> Step:
    if run.reruns is None:
        return conductor.start(run.inputs, run.context, now)
    try:
        step = conductor.rerun(run.reruns, now, run.reset)
    except RerunError as error:
        run.result = (ex.FAILED, {"errors": [{"message": str(error)}], "output": None})
        return Step([], [], [], False)
    more = conductor.request(ex.RUNNING, now)
    return Step(step.facts + more.facts, step.commands + more.commands, step.notes + more.notes, step.more or more.more)


def _child(run: Run, conductor: Conductor, child: Execution | None, status: str, now: int) -> list[Step]:
    if child is None or run.lookups is None:
        return []
    orquesta = child.context.get("orquesta", {})
    entry = orquesta.get("task_execution_id", "")
    before = conductor.state.by_id.get(entry)
    pending = before is not None and conductor.state.sequence[before].status in (st.PENDING, st.PAUSED)
    result = run.lookups.opened(child.result) if status in ex.FINAL else None
    steps = [conductor.action(entry, orquesta.get("item_id"), status, result, now)]
    if pending and status == ex.RUNNING and conductor.state.status == st.PAUSING and not ex.stays_paused(run.execution):
        steps.append(conductor.request(ex.RUNNING, now))
    if pending and status in ex.FINAL and conductor.state.status in (st.PAUSED, st.PAUSING):
        steps.append(conductor.request(ex.RUNNING, now))
    return steps


def failed(run: Run, command: RunAction, result: Any, now: int) -> Step:
    """Tells the conductor that a task has failed because its execution could not be requested. Returns the step."""
    assert run.conductor is not None  # noqa: S101 - the command comes from it
    step = run.conductor.action(command.task_execution, command.item, ex.FAILED, result, now)
    if command.item is None:
        return step
    note = Note(ITEM_REFUSED, command.task, command.route, {"item": command.item})
    # The note comes first: the step's own notes may report the end of the task, or its retry.
    return msgspec.structs.replace(step, notes=[note, *step.notes])


def way(current: str, target: str) -> Sequence[str]:
    """Returns the statuses between an execution's status and its conductor's, without final statuses."""
    if current == ex.CANCELING or target == current:
        return ()
    if target in (st.CANCELING, st.CANCELED):
        return (ex.CANCELING,)
    ways: dict[tuple[str, str], tuple[str, ...]] = {
        (ex.RUNNING, ex.PAUSING): (ex.PAUSING,),
        (ex.RUNNING, ex.PAUSED): (ex.PAUSING, ex.PAUSED),
        (ex.PAUSING, ex.PAUSED): (ex.PAUSED,),
        (ex.PAUSING, ex.RUNNING): (ex.RUNNING,),
        (ex.RESUMING, ex.PAUSING): (ex.PAUSING,),
        (ex.RESUMING, ex.PAUSED): (ex.PAUSING, ex.PAUSED),
        (ex.RESUMING, ex.RUNNING): (ex.RUNNING,),
        (ex.PAUSED, ex.RUNNING): (ex.RESUMING, ex.RUNNING),
        (ex.PAUSED, ex.RESUMING): (ex.RESUMING, ex.RUNNING),
        (ex.PAUSED, ex.PAUSING): (ex.RESUMING, ex.PAUSING),
    }
    if target in ex.FINAL and current == ex.PAUSED:
        return (ex.RESUMING,)
    return ways.get((current, target), ())
