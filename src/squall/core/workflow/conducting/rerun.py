"""Re-runs: tasks of an ended workflow, and the tasks that follow them, run again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from squall.core.workflow.conducting import facts as f
from squall.core.workflow.conducting import status as st
from squall.core.workflow.conducting.engine import Engine
from squall.core.workflow.conducting.failures import failures, unfinished, why_nothing_failed
from squall.core.workflow.conducting.state import State
from squall.core.workflow.definition.spec import COMMANDS

FAILED_TASKS = "*"
"""As the only task of a re-run: all failed tasks. In `reset`: every task that runs again."""


class RerunError(Exception):
    """The re-run is impossible. The text is Orquesta's, or says why nothing would run."""


class TaskRerun(msgspec.Struct, frozen=True):
    """A task to run again; `reset`: all of its items, not only the failed ones."""

    task: str
    route: int = 0
    reset: bool = False


def check_rerun(state: State, names: Sequence[str], status: str, result: Any) -> None:
    """Raises `RerunError` if a re-run of an ended workflow would run nothing.

    `names` are tasks (empty: the failed ones). `status` and `result` are those of the workflow's execution.
    """
    if state.status not in st.FINAL:
        raise RerunError(
            f"The workflow was abandoned before it ended (its status is {status}), so its tasks cannot be run again "
            "one by one. Run the whole workflow again."
        )
    if not names and not failures(state).failed and not state.waiting:
        raise RerunError(why_nothing_failed(state, status, result))
    ran = list(dict.fromkeys(entry.task for entry in state.sequence if entry.task not in COMMANDS))
    for name in names:
        if name in COMMANDS:
            reason = f'"{name}" is a command of the workflow engine, which runs nothing'
        elif name not in state.graph.workflow.tasks:
            reason = f"Unable to rerun workflow because one or more tasks is not found: {name}"
        elif name not in ran:
            reason = f'Task "{name}" has not run in this execution, so it cannot be run again'
        else:
            continue
        raise RerunError(f"{reason}. Tasks that can be run again: {', '.join(ran) or 'none'}.")


def request_rerun(engine: Engine, tasks: Sequence[TaskRerun], reset: Collection[str] = ()) -> None:
    """Stages tasks of an ended workflow (empty: the failed ones) to run again. Tasks that still wait will start too.

    The tasks in `reset` run all of their items again. Raises `RerunError`, also if nothing would run.
    """
    state = engine.state
    if state.status not in st.FINAL:
        raise RerunError("Unable to rerun workflow because it is not in a completed state.")
    unknown = [task for task in tasks if (task.task, task.route) not in state.latest]
    if unknown:
        missing = ", ".join(f"{task.task}|{task.route}" for task in unknown)
        raise RerunError(f"Unable to rerun task|route(s) because it doesn't exist or isn't rerunnable: {missing}")
    check_rerun(state, [task.task for task in tasks], state.status, None)
    repeated = _runs_to_repeat(engine, tasks)
    undone = set().union(*(_following(state, index) for index in repeated))
    engine.tell(f.OutputSet(None, rendered=False))
    _undo(engine, set(repeated), undone)
    whole = {task.task for task in tasks if task.reset} | set(reset)
    for index in repeated:
        _stage_again(engine, index, FAILED_TASKS in whole or state.sequence[index].task in whole)
    for index in sorted(state.terminal):
        if any(state.sequence[index].next.values()):
            engine.tell(f.TaskEnds(index, False))
    _drop_errors(engine, undone)
    engine.set_status(st.RESUMING)


def _runs_to_repeat(engine: Engine, tasks: Sequence[TaskRerun]) -> list[int]:
    """Returns the runs to repeat, ordered by name and route. A run that follows another one of them runs again with
    that one."""
    state = engine.state
    requested = {state.latest[task.task, task.route] for task in tasks} if tasks else set(failures(state).runs)
    behind = {index: _following(state, index) - {index} for index in requested}
    first = [index for index in requested if not any(index in behind[other] for other in requested if other != index)]
    return sorted(first, key=lambda index: (state.sequence[index].task, state.sequence[index].route))


def _following(state: State, index: int) -> set[int]:
    """Returns the runs that a run led to, and itself."""
    after: dict[int, list[int]] = {}
    for each, entry in enumerate(state.sequence):
        for before in entry.prev.values():
            after.setdefault(before, []).append(each)
    following = {index}
    waiting = [index]
    while waiting:
        for each in after.get(waiting.pop(), ()):
            if each not in following:
                following.add(each)
                waiting.append(each)
    return following


def _undo(engine: Engine, repeated: set[int], undone: set[int]) -> None:
    """Undoes the consequences of repeated runs: their ends, the ways they took, and the tasks staged by these."""
    state = engine.state
    for index in sorted(undone):
        entry = state.sequence[index]
        if entry.terminal:
            engine.tell(f.TaskEnds(index, False))
        engine.tell(f.WaysUndone(index))
        if index not in repeated and entry.status != st.SUCCEEDED:
            engine.change(index, st.UNSET)
    for staged in list(state.staged.values()):
        if staged.entry in repeated or (staged.entry < 0 and not undone & set(staged.prev.values())):
            continue
        remaining = {name: before for name, before in staged.prev.items() if before not in undone}
        if staged.entry in undone or (staged.prev and not remaining):
            engine.tell(f.Unstaged(staged.task, staged.route))
        elif remaining != staged.prev:
            ready = staged.ready and state.is_satisfied(staged.task, staged.route)
            engine.tell(msgspec.structs.replace(staged, prev=remaining, ready=ready))
    for index in unfinished(state):
        if index not in undone:
            # No event will report the end of the run's execution: the workflow must not wait for it.
            engine.change(index, st.CANCELED)


def _drop_errors(engine: Engine, undone: set[int]) -> None:
    """Drops the errors of all tasks that run again, and of the output, which is rendered again."""
    state = engine.state
    tasks = {state.sequence[index].task for index in undone} | {
        each.task for each in state.staged.values() if not each.completed
    }
    failed = {error.get("task_id") for error in state.errors}
    for task in sorted(tasks & failed):
        engine.tell(f.ErrorsDropped(task))
    if None in failed:
        engine.tell(f.ErrorsDropped(None))


def _stage_again(engine: Engine, index: int, resets: bool) -> None:
    state = engine.state
    entry = state.sequence[index]
    staged = state.staged.get((entry.task, entry.route))
    items = state.items.get(index)
    continues = staged is not None and staged.entry == index and entry.status in st.ABENDED
    if items is not None and staged is not None and continues and not resets:
        for item, status in enumerate(items.statuses):
            if status in st.ABENDED:
                engine.tell(f.ItemChanged(index, item, st.UNSET))
        engine.change(index, st.RUNNING)
        engine.tell(msgspec.structs.replace(staged, completed=False, ready=True))
        engine.note("task_requested", entry.task, entry.route, items=items.statuses.count(st.UNSET))
        return
    engine.tell(f.Staged(entry.task, entry.route, entry.context, entry.prev, True))
