"""Starting what waits: tasks are rendered, and become commands."""

from __future__ import annotations

from typing import Any

import msgspec

from squall.core.expr.scope import CurrentTask, Scope
from squall.core.workflow.conducting import facts as f
from squall.core.workflow.conducting import status as st
from squall.core.workflow.conducting.engine import Engine, RunAction
from squall.core.workflow.definition.spec import Retry, Task, WithItems

BATCH = 200
"""How many commands one step gives at most: the rest follows in the next."""


class Rendered(msgspec.Struct):
    """A task that is about to start: its actions as (item, action, input), and its items when they are opened now."""

    staged: f.Staged
    task: Task
    delay: int
    actions: list[tuple[int | None, str, dict[str, Any]]]
    items: list[Any] | None = None
    concurrency: int | None = None
    retry: tuple[int, float, str | None] | None = None


class LimitError(Exception):
    """A workflow has taken too many steps."""


def start_waiting(engine: Engine) -> bool:
    """Starts every task that waits, as many as a step may. Whether there is more to start at once.

    When one of them cannot be rendered the workflow fails, with the errors of all, and none is started.
    """
    waiting = _startable(engine)
    rendered = []
    failed = False
    for staged in waiting:
        try:
            rendered.append(_render(engine, staged))
        except Exception as error:  # whatever an expression raises is the workflow's error
            failed = True
            engine.log_exception(error, task_id=staged.task, route=staged.route)
    if failed:
        engine.fail()
        return False
    for each in rendered:
        _start(engine, each)
    return bool(rendered) and len(engine.commands) >= BATCH


def _startable(engine: Engine) -> list[f.Staged]:
    waiting = engine.state.waiting
    if engine.state.status == st.FAILED:
        return [staged for staged in waiting if staged.run_on_fail]
    return waiting if engine.state.status in st.GOING else []


def _render(engine: Engine, staged: f.Staged) -> Rendered:
    if len(engine.state.sequence) >= engine.most:
        raise LimitError(f"The workflow has run {engine.most} tasks, which is the most it may.")
    task = engine.graph.task(staged.task)
    scope = engine.scope(staged.context, CurrentTask(staged.task, staged.route))
    is_first = staged.entry < 0 or staged.retry_delay is not None
    delay = _delay(engine, task, scope) if is_first and staged.retry_delay is None else (staged.retry_delay or 0)
    made = Rendered(staged, task, int(delay * 1000), [])
    if is_first and staged.entry < 0:
        made.retry = _retry(engine, task.name, scope)
    if task.items is not None:
        _render_items(engine, made, task.items, scope, is_first)
    elif task.action is not None:
        made.actions.append((None, *_action(engine, task, scope)))
    return made


def _action(engine: Engine, task: Task, scope: Scope) -> tuple[str, dict[str, Any]]:
    action = engine.evaluate(task.action, scope)
    given = engine.evaluate(task.input or {}, scope)
    if not isinstance(given, dict):
        raise TypeError(f'The input of task "{task.name}" is not type of dict.')
    return str(action), given


def _delay(engine: Engine, task: Task, scope: Scope) -> int:
    if not task.delay:
        return 0
    delay = engine.evaluate(task.delay, scope)
    if not isinstance(delay, int) or isinstance(delay, bool):
        raise TypeError("The value of task delay is not type of integer.")
    return max(delay, 0)


def _retry(engine: Engine, name: str, scope: Scope) -> tuple[int, float, str | None] | None:
    retry: Retry | None = engine.graph.retries.get(name)
    if retry is None:
        return None
    values = []
    for what, written in (("count", retry.count), ("delay", retry.delay)):
        value = engine.evaluate(written, scope) if isinstance(written, str) else (written or 0)
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(f'The retry {what} for task "{name}" is not an integer.')
        values.append(value)
    return values[0], float(max(values[1], 0)), retry.when


def _render_items(engine: Engine, made: Rendered, items: WithItems, scope: Scope, is_first: bool) -> None:
    if is_first:
        made.items = engine.evaluate(items.expression, scope)
        if not isinstance(made.items, list):
            raise TypeError(f'The value of "{items.expression}" is not type of list.')
        if items.concurrency is not None:
            concurrency = engine.evaluate(items.concurrency, scope)
            if not isinstance(concurrency, int):
                raise TypeError("The value of concurrency is not type of integer.")
            made.concurrency = max(concurrency, 1)
        statuses: list[str] = []
        count, values, room = len(made.items), made.items, made.concurrency
        start = 0
    else:
        opened = engine.state.items[made.staged.entry]
        statuses, values, count, start = opened.statuses, opened.values, len(opened.values), opened.cursor
        room = None if opened.concurrency is None else opened.concurrency - opened.count(st.ACTIVE)
        if opened.concurrency is not None and opened.count(st.ABENDED):
            room = 0
    room = BATCH if room is None else min(room, BATCH)
    at = start
    while at < count and len(made.actions) < room:
        if not statuses or statuses[at] == st.UNSET:
            item_scope = scope.replaced(item=_item(items.keys, values[at]))
            made.actions.append((at, *_action(engine, made.task, item_scope)))
        at += 1


def _item(keys: tuple[str, ...], value: Any) -> Any:
    if keys and isinstance(value, list | tuple):
        return dict(zip(keys, value, strict=False))
    return {keys[0]: value} if len(keys) == 1 else value


def _start(engine: Engine, made: Rendered) -> None:
    staged = made.staged
    index = staged.entry
    if index < 0:
        index = len(engine.state.sequence)
        new_id = engine.outside.new_id()
        engine.tell(f.TaskAdded(new_id, staged.task, staged.route, staged.context, staged.prev, engine.now, made.retry))
    is_first = made.items is not None or made.task.items is None
    if is_first and not made.actions and not made.items:
        if engine.stepwise and made.items is None:
            made.actions.append((None, "", {}))
        else:
            engine.idle.append(index)
    if is_first:
        _open(engine, made, index)
    elif made.actions and engine.state.sequence[index].status in (st.PAUSED, st.RESUMING):
        engine.change(index, st.RUNNING)
        engine.follow(index)
    for item, action, given in made.actions:
        if item is not None:
            engine.tell(f.ItemChanged(index, item, st.RUNNING))
        entry = engine.state.sequence[index]
        engine.commands.append(
            RunAction(entry.id, entry.task, entry.route, item, action, given, made.delay if is_first else 0)
        )


def _open(engine: Engine, made: Rendered, index: int) -> None:
    staged = made.staged
    details: dict[str, Any] = {"action": made.actions[0][1]} if made.actions else {}
    if made.items is not None:
        engine.tell(f.ItemsOpened(index, made.items, made.concurrency))
        engine.tell(msgspec.structs.replace(staged, entry=index, retry_delay=None))
        details["items"] = len(made.items)
    else:
        engine.tell(f.Unstaged(staged.task, staged.route))
    if made.delay:
        details["delay"] = made.delay
    engine.change(index, st.RUNNING)
    engine.note("task_requested", staged.task, staged.route, **details)
    engine.follow(index)
