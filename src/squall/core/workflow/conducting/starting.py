"""The start of waiting tasks: their expressions are evaluated, and their actions become commands."""

from __future__ import annotations

from typing import Any

import msgspec

from squall.core.errors import UnavailableError
from squall.core.expr.bounds.errors import UnstorableError
from squall.core.expr.scope import CurrentTask, Scope
from squall.core.workflow.conducting import facts as f
from squall.core.workflow.conducting import status as st
from squall.core.workflow.conducting.engine import Engine, Refused, RunAction
from squall.core.workflow.definition.spec import Retry, Task, WithItems

BATCH = 200
"""The most commands of one step: the rest follows in the next."""

_LONGEST_DELAY = 100 * 366 * 86_400
"""The longest delay in seconds. Times are stored in µs, in numbers of 64 bits."""


class Rendered(msgspec.Struct):
    """A task that is about to start: its actions as (item, action, input), and its items if this start opens them.

    `refused` lists the items (None: the whole task) whose values cannot be stored, and why.
    """

    staged: f.Staged
    task: Task
    delay: int
    actions: list[tuple[int | None, str, dict[str, Any]]]
    items: list[Any] | None = None
    concurrency: int | None = None
    retry: tuple[int, float, str | None] | None = None
    refused: list[tuple[int | None, str]] = []


class LimitError(Exception):
    """The workflow has run too many tasks."""


def start_waiting(engine: Engine) -> bool:
    """Starts the waiting tasks, as many as one step may. Returns True if there is more to start at once.

    If one of them cannot be rendered, the workflow fails with the errors of all, and none is started. If values of a
    task cannot be stored, only that task, or its item, fails.
    """
    waiting = _startable(engine)
    rendered = []
    failed = False
    for staged in waiting:
        try:
            rendered.append(_rendered(engine, staged))
        except UnavailableError:
            raise
        except Exception as error:  # any exception of an expression is an error of the workflow
            failed = True
            engine.log_exception(error, task_id=staged.task, route=staged.route)
    if failed:
        engine.fail()
        return False
    for each in rendered:
        if any(item is None for item, _ in each.refused):
            _refuse(engine, each)
        else:
            _start(engine, each)
    return bool(rendered) and len(engine.commands) >= BATCH


def _startable(engine: Engine) -> list[f.Staged]:
    waiting = engine.state.waiting
    if engine.state.status == st.FAILED:
        return [staged for staged in waiting if staged.run_on_fail]
    return waiting if engine.state.status in st.GOING else []


def _rendered(engine: Engine, staged: f.Staged) -> Rendered:
    try:
        return _render(engine, staged)
    except UnstorableError as error:
        return Rendered(staged, engine.graph.task(staged.task), 0, [], refused=[(None, str(error))])


def _render(engine: Engine, staged: f.Staged) -> Rendered:
    if len(engine.state.sequence) >= engine.most:
        raise LimitError(f"The workflow has run {engine.most} tasks, which is the most it may.")
    task = engine.graph.task(staged.task)
    scope = engine.scope(staged.context, CurrentTask(staged.task, staged.route))
    is_first = staged.entry < 0 or staged.retry_delay is not None
    delay = _delay(engine, task, scope) if is_first and staged.retry_delay is None else (staged.retry_delay or 0)
    plan = Rendered(staged, task, int(delay * 1000), [])
    if is_first and staged.entry < 0:
        plan.retry = _retry(engine, task.name, scope)
    if task.items is not None:
        _render_items(engine, plan, task.items, scope, is_first)
    elif task.action is not None:
        plan.actions.append((None, *_action(engine, task, scope)))
    return plan


def _action(engine: Engine, task: Task, scope: Scope) -> tuple[str, dict[str, Any]]:
    action = _evaluated(engine, "action", task.action, scope)
    if not isinstance(task.input, dict):
        inputs = _evaluated(engine, "input", task.input or {}, scope)
        if not isinstance(inputs, dict):
            raise TypeError(f'The input of task "{task.name}" is not type of dict.')
        return str(action), inputs
    inputs = {}
    for name, value in task.input.items():
        inputs |= _evaluated(engine, f'input "{name}"', {name: value}, scope)
    return str(action), inputs


def _evaluated(engine: Engine, part: str, value: Any, scope: Scope) -> Any:
    """Evaluates the expressions in a part of a task. Raises `UnstorableError` that names the part."""
    try:
        return engine.evaluate(value, scope)
    except UnstorableError as error:
        raise error.at(part) from error


def _delay(engine: Engine, task: Task, scope: Scope) -> int:
    if not task.delay:
        return 0
    delay = _evaluated(engine, "delay", task.delay, scope)
    if not isinstance(delay, int) or isinstance(delay, bool):
        raise TypeError("The value of task delay is not type of integer.")
    return _bounded("task delay", delay)


def _bounded(field: str, delay: int) -> int:
    if delay > _LONGEST_DELAY:
        raise ValueError(f"The value of {field} is {delay} s; it may be at most {_LONGEST_DELAY} s (100 years).")
    return max(delay, 0)


def _retry(engine: Engine, name: str, scope: Scope) -> tuple[int, float, str | None] | None:
    retry: Retry | None = engine.graph.retries.get(name)
    if retry is None:
        return None
    values = []
    for field, source in (("count", retry.count), ("delay", retry.delay)):
        value = _evaluated(engine, f"retry {field}", source, scope) if isinstance(source, str) else (source or 0)
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(f'The retry {field} for task "{name}" is not an integer.')
        values.append(value)
    return values[0], float(_bounded("retry delay", values[1])), retry.when


def _render_items(engine: Engine, plan: Rendered, items: WithItems, scope: Scope, is_first: bool) -> None:
    if is_first:
        plan.items = _evaluated(engine, "with items", items.expression, scope)
        if not isinstance(plan.items, list):
            raise TypeError(f'The value of "{items.expression}" is not type of list.')
        if items.concurrency is not None:
            concurrency = _evaluated(engine, "concurrency", items.concurrency, scope)
            if not isinstance(concurrency, int):
                raise TypeError("The value of concurrency is not type of integer.")
            plan.concurrency = max(concurrency, 1)
        statuses: list[str] = []
        count, values, room = len(plan.items), plan.items, plan.concurrency
        start = 0
    else:
        opened = engine.state.items[plan.staged.entry]
        statuses, values, count, start = opened.statuses, opened.values, len(opened.values), opened.cursor
        room = None if opened.concurrency is None else opened.concurrency - opened.count(st.ACTIVE)
        if opened.concurrency is not None and opened.count(st.ABENDED):
            room = 0
    room = BATCH if room is None else min(room, BATCH)
    at = start
    while at < count and len(plan.actions) + len(plan.refused) < room:
        if not statuses or statuses[at] == st.UNSET:
            item_scope = scope.replaced(item=_item(items.keys, values[at]))
            try:
                plan.actions.append((at, *_action(engine, plan.task, item_scope)))
            except UnstorableError as error:
                plan.refused.append((at, str(error)))
        at += 1


def _item(keys: tuple[str, ...], value: Any) -> Any:
    if keys and isinstance(value, list | tuple):
        return dict(zip(keys, value, strict=False))
    return {keys[0]: value} if len(keys) == 1 else value


def _entered(engine: Engine, plan: Rendered) -> int:
    """Returns the index of the run: a new one, or the one that continues."""
    staged = plan.staged
    if staged.entry >= 0:
        return staged.entry
    new_id = engine.outside.new_id()
    engine.tell(f.TaskAdded(new_id, staged.task, staged.route, staged.context, staged.prev, engine.now, plan.retry))
    return len(engine.state.sequence) - 1


def _refuse(engine: Engine, plan: Rendered) -> None:
    """Starts a run that will fail at once."""
    index = _entered(engine, plan)
    engine.tell(f.Unstaged(plan.staged.task, plan.staged.route))
    engine.change(index, st.RUNNING)
    engine.note("task_requested", plan.staged.task, plan.staged.route)
    engine.follow(index)
    engine.refused += [Refused(index, item, message) for item, message in plan.refused]


def _start(engine: Engine, plan: Rendered) -> None:
    index = _entered(engine, plan)
    is_first = plan.items is not None or plan.task.items is None
    if is_first and not plan.actions and not plan.items:
        if engine.stepwise and plan.items is None:
            plan.actions.append((None, "", {}))
        else:
            engine.idle.append(index)
    if is_first:
        _open(engine, plan, index)
    elif (plan.actions or plan.refused) and engine.state.sequence[index].status in (st.PAUSED, st.RESUMING):
        engine.change(index, st.RUNNING)
        engine.follow(index)
    for item, message in plan.refused:
        engine.tell(f.ItemChanged(index, item or 0, st.RUNNING))
        engine.refused.append(Refused(index, item, message))
    for item, action, inputs in plan.actions:
        if item is not None:
            engine.tell(f.ItemChanged(index, item, st.RUNNING))
        entry = engine.state.sequence[index]
        engine.commands.append(
            RunAction(entry.id, entry.task, entry.route, item, action, inputs, plan.delay if is_first else 0)
        )


def _open(engine: Engine, plan: Rendered, index: int) -> None:
    staged = plan.staged
    details: dict[str, Any] = {"action": plan.actions[0][1]} if plan.actions else {}
    if plan.items is not None:
        engine.tell(f.ItemsOpened(index, plan.items, plan.concurrency))
        engine.tell(msgspec.structs.replace(staged, entry=index, retry_delay=None))
        details["items"] = len(plan.items)
    else:
        engine.tell(f.Unstaged(staged.task, staged.route))
    if plan.delay:
        details["delay"] = plan.delay
    engine.change(index, st.RUNNING)
    engine.note("task_requested", staged.task, staged.route, **details)
    engine.follow(index)
