"""Running tasks of an ended workflow again, and what follows them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from squall.core.workflow import facts as f
from squall.core.workflow import status as st
from squall.core.workflow.engine import Engine


class RerunError(Exception):
    """A re-run that cannot be, in Orquesta's words."""


class TaskRerun(msgspec.Struct, frozen=True):
    """A task to run again; `reset`: all of its items, not only those that failed."""

    task: str
    route: int = 0
    reset: bool = False


def request_rerun(engine: Engine, tasks: Sequence[TaskRerun]) -> None:
    """Stages tasks of a workflow that has ended, and those that had not been gone on with. Raises `RerunError`."""
    state = engine.state
    if state.status not in st.FINAL:
        raise RerunError("Unable to rerun workflow because it is not in a completed state.")
    unknown = [task for task in tasks if (task.task, task.route) not in state.latest]
    if unknown:
        named = ", ".join(f"{task.task}|{task.route}" for task in unknown)
        raise RerunError(f"Unable to rerun task|route(s) because it doesn't exist or isn't rerunnable: {named}")
    chosen = _chosen(engine, tasks)
    engine.tell(f.OutputSet(None, rendered=False))
    for index in chosen:
        entry = state.sequence[index]
        resets = any(task.reset for task in tasks if (task.task, task.route) == (entry.task, entry.route))
        _stage_again(engine, index, resets)
        for each in _following(engine, index):
            if state.sequence[each].terminal:
                engine.tell(f.TaskEnds(each, False))
    for index in sorted(state.terminal):
        entry = state.sequence[index]
        if any(entry.next.values()):
            engine.tell(f.TaskEnds(index, False))
    engine.set_status(st.RESUMING)


def _chosen(engine: Engine, tasks: Sequence[TaskRerun]) -> list[int]:
    """The runs to repeat, by name and route. One that comes behind another one asked for is part of that."""
    state = engine.state
    if not tasks:
        found = [index for index in state.terminal if state.sequence[index].status in st.ABENDED]
    else:
        asked = {state.latest[task.task, task.route] for task in tasks}
        behind = {index: _following(engine, index) - {index} for index in asked}
        found = [index for index in asked if not any(index in behind[other] for other in asked if other != index)]
    return sorted(found, key=lambda index: (state.sequence[index].task, state.sequence[index].route))


def _following(engine: Engine, index: int) -> set[int]:
    """The runs that came out of a run, and itself."""
    after: dict[int, list[int]] = {}
    for each, entry in enumerate(engine.state.sequence):
        for before in entry.prev.values():
            after.setdefault(before, []).append(each)
    found = {index}
    waiting = [index]
    while waiting:
        for each in after.get(waiting.pop(), ()):
            if each not in found:
                found.add(each)
                waiting.append(each)
    return found


def _stage_again(engine: Engine, index: int, resets: bool) -> None:
    state = engine.state
    entry = state.sequence[index]
    engine.tell(f.ErrorsDropped(entry.task))
    if entry.terminal:
        engine.tell(f.TaskEnds(index, False))
    staged = state.staged.get((entry.task, entry.route))
    items = state.items.get(index)
    if items is not None and staged is not None and staged.entry == index and not resets:
        for item, status in enumerate(items.statuses):
            if status in st.ABENDED:
                engine.tell(f.ItemChanged(index, item, st.UNSET))
        engine.change(index, st.RUNNING)
        engine.tell(msgspec.structs.replace(staged, completed=False, ready=True))
        return
    engine.tell(f.Staged(entry.task, entry.route, entry.context, entry.prev, True))
