"""The consequences of an action that ends, pauses or stops: retries, ways out, published values, joins."""

from __future__ import annotations

from typing import Any

import msgspec

from squall.core.expr.bounds.errors import EvaluationError, UnstorableError
from squall.core.expr.scope import Scope, Variables
from squall.core.workflow.conducting import facts as f
from squall.core.workflow.conducting import status as st
from squall.core.workflow.conducting.context import merged
from squall.core.workflow.conducting.engine import ENDED_BADLY, ITEM_REFUSED, Engine, Refused
from squall.core.workflow.definition.graph import Edge
from squall.core.workflow.definition.spec import COMMANDS


def action_changed(engine: Engine, index: int, item: int | None, status: str, result: Any) -> None:
    """Applies the new status of the action of a run, or of one of its items. Ignores a run or item that has ended."""
    if _is_over(engine, index, item):
        return
    if status in st.ABENDED:
        engine.log(ENDED_BADLY, task_id=engine.state.sequence[index].task, result=result)
    _take(engine, index, item, status, result, retries=True)


def end_refused(engine: Engine, refused: Refused) -> None:
    """Fails a run, or one item, before its action is requested, because its values cannot be stored.

    The run is not retried, because a retry would fail the same way. Its ways out are taken, as for every failed run.
    """
    if _is_over(engine, refused.index, refused.item):
        return
    message = refused.message
    entry = engine.state.sequence[refused.index]
    engine.log(message, task_id=entry.task)
    if refused.item is not None:
        engine.note(ITEM_REFUSED, entry.task, entry.route, item=refused.item)
    _take(engine, refused.index, refused.item, st.FAILED, {"error": message}, retries=False)


def _is_over(engine: Engine, index: int, item: int | None) -> bool:
    if item is None:
        return engine.state.sequence[index].status in st.FINAL
    items = engine.state.items.get(index)
    return items is None or item >= len(items.statuses) or items.statuses[item] in st.FINAL


def _take(engine: Engine, index: int, item: int | None, status: str, result: Any, retries: bool) -> None:
    """Derives a run's status from that of its action, or of one item; then applies the consequences."""
    entry = engine.state.sequence[index]
    items = engine.state.items.get(index)
    if item is not None:
        engine.tell(f.ItemChanged(index, item, status))
    before = entry.status
    if item is not None and items is not None:
        starting = items.concurrency is None and engine.state.status in st.GOING
        engine.change(index, st.after_item(before, status, items.others(item, starting)))
    else:
        engine.change(index, st.after_action(before, status))
    _changed(engine, index, before, result, retries)


def run_command(engine: Engine, staged: f.Staged) -> None:
    """Runs one of the engine's own commands: tasks that end at once."""
    index = _enter(engine, staged)
    engine.tell(f.Unstaged(staged.task, staged.route))
    if staged.task == "fail":
        engine.log(ENDED_BADLY, task_id="fail")
    engine.change(index, st.FAILED if staged.task == "fail" else st.SUCCEEDED)
    _changed(engine, index, st.UNSET, None)


def end_without_action(engine: Engine, index: int) -> None:
    """Ends a run without an action, or without items, as succeeded when it has started."""
    before = engine.state.sequence[index].status
    engine.change(index, st.SUCCEEDED)
    _changed(engine, index, before, None)


def _enter(engine: Engine, staged: f.Staged) -> int:
    index = len(engine.state.sequence)
    new_id = engine.outside.new_id()
    engine.tell(f.TaskAdded(new_id, staged.task, staged.route, staged.context, staged.prev, engine.now))
    return index


def _changed(engine: Engine, index: int, before: str, result: Any, retries: bool = True) -> None:
    """Applies the consequences of a run's new status."""
    entry = engine.state.sequence[index]
    queue: list[f.Staged] = []
    if entry.status in st.FINAL and entry.status != before:
        items = engine.state.items.get(index)
        if items is not None:
            result = engine.outside.item_results(entry.id, len(items.values)) if items.values else []
        _leave_staging(engine, index)
        scope = engine.scope(entry.context, engine.current(index, result))
        if retries and engine.state.status in st.ACTIVE and _retries(engine, index, scope):
            engine.follow(index)
            return
        # Nothing follows a canceled task: a way out that cannot be evaluated without its result must not turn a
        # canceled workflow into a failed one.
        continues = st.CANCELED not in (entry.status, engine.state.status) and engine.state.status != st.CANCELING
        ways = _ways(engine, index, scope) if continues else []
        if entry.task not in COMMANDS:
            engine.note("task_ended", entry.task, entry.route, status=entry.status)
        if continues:
            queue = _take_ways(engine, index, ways)
    engine.follow(index)
    for staged in queue:
        run_command(engine, staged)
    if engine.state.status in st.FINAL and not entry.terminal:
        engine.tell(f.TaskEnds(index, True))


def _leave_staging(engine: Engine, index: int) -> None:
    """Unstages an ended task. A failed task with items stays staged, for a re-run of the failed items."""
    entry = engine.state.sequence[index]
    staged = engine.state.staged.get((entry.task, entry.route))
    if staged is None or staged.entry != index:
        return
    if entry.status in st.ABENDED:
        engine.tell(msgspec.structs.replace(staged, completed=True))
    else:
        engine.tell(f.Unstaged(entry.task, entry.route))


def _retries(engine: Engine, index: int, scope: Scope) -> bool:
    """Stages the run for another try if its retry rule says so. Returns True if it is retried."""
    entry = engine.state.sequence[index]
    if entry.retry is None or entry.tally >= entry.retry[0] or entry.status == st.CANCELED:
        return False
    _count, delay, when = entry.retry
    try:
        again = entry.status in st.ABENDED if when is None else bool(engine.evaluate(when, scope))
    except EvaluationError as error:
        engine.log_exception(error, task_id=entry.task, route=entry.route)
        engine.fail()
        return False
    if not again:
        return False
    engine.tell(f.TaskRetried(index))
    engine.change(index, st.RETRYING)
    engine.tell(f.Staged(entry.task, entry.route, entry.context, entry.prev, True, delay, entry=index))
    engine.note("task_retried", entry.task, entry.route, attempt=entry.tally, delay=delay)
    return True


class _Way(msgspec.Struct):
    """A way out of an ended run: if it is taken, the values that it publishes, and the errors of its expressions."""

    edge: Edge
    taken: bool = False
    published: dict[str, Any] = {}
    errors: list[EvaluationError] = []


def _ways(engine: Engine, index: int, scope: Scope) -> list[_Way]:
    """Evaluates the ways out of an ended run. If one of them has a value that cannot be stored, a succeeded run fails
    instead, and the ways are those of a failed run: a workflow can handle that as any other failure."""
    entry = engine.state.sequence[index]
    ways = [_way(engine, edge, scope) for edge in engine.graph.outbound.get(entry.task, ())]
    refused = [(way, error) for way in ways for error in way.errors if isinstance(error, UnstorableError)]
    if not refused or entry.status != st.SUCCEEDED:
        return ways
    engine.change(index, st.FAILED)
    assert scope.current is not None  # noqa: S101 - the scope of a run has one
    again = scope.replaced(current=engine.current(index, scope.current.result))
    ways = [_way(engine, edge, again) for edge in engine.graph.outbound.get(entry.task, ())]
    logged = {(way.edge.id, str(error)) for way in ways for error in way.errors}
    for way, error in refused:
        if (way.edge.id, str(error)) not in logged:
            engine.log_exception(error, task_id=entry.task, task_transition_id=way.edge.id)
    return ways


def _way(engine: Engine, edge: Edge, scope: Scope) -> _Way:
    try:
        taken = edge.when is None or bool(engine.evaluate(edge.when, scope))
    except EvaluationError as error:
        return _Way(edge, errors=[error.at("when") if isinstance(error, UnstorableError) else error])
    return _Way(edge, True, *_publish(engine, edge, scope)) if taken else _Way(edge)


def _take_ways(engine: Engine, index: int, ways: list[_Way]) -> list[f.Staged]:
    """Takes the ways out of an ended run. Returns the staged commands of the engine."""
    entry = engine.state.sequence[index]
    if not ways:
        engine.tell(f.TaskEnds(index, True))
    queue: list[f.Staged] = []
    ready: list[f.Staged] = []
    for way in ways:
        edge = way.edge
        if way.taken or not way.errors:
            engine.tell(f.TransitionTaken(index, edge.id, edge.target, way.taken))
        for error in way.errors:
            where = {"task_id": entry.task, "route": entry.route, "task_transition_id": edge.id}
            engine.log_exception(error, **where)
        if way.errors:
            engine.fail()
        if way.errors or not way.taken:
            continue
        staged = _stage(engine, index, edge, way.published)
        if staged.task in COMMANDS:
            queue.append(staged)
        elif staged.ready:
            ready.append(staged)
    if any(staged.task == "fail" for staged in queue):
        for staged in ready:
            now = engine.state.staged[staged.task, staged.route]
            engine.tell(msgspec.structs.replace(now, run_on_fail=True))
    return queue


def _publish(engine: Engine, edge: Edge, scope: Scope) -> tuple[dict[str, Any], list[EvaluationError]]:
    """Evaluates the values that a transition publishes: later entries see earlier ones. Returns them and the errors."""
    published: dict[str, Any] = {}
    errors: list[EvaluationError] = []
    entries = engine.graph.task(edge.source).next[edge.ref].publish
    for name, value in entries:
        rolling = scope
        if published:
            rolling = scope.replaced(variables=Variables({**scope.variables.values, **published}))
        try:
            published[name] = engine.evaluate(value, rolling)
        except UnstorableError as error:
            errors.append(error.at(f'variable "{name}"'))
        except EvaluationError as error:
            errors.append(error)
    return published, errors


def _stage(engine: Engine, index: int, edge: Edge, published: dict[str, Any]) -> f.Staged:
    entry = engine.state.sequence[index]
    context = entry.context
    if published:
        context = len(engine.state.contexts)
        engine.tell(f.ContextAdded(published, entry.context))
    route = _route(engine, edge, entry.route)
    earlier = engine.state.staged.get((edge.target, route))
    prev = {f"{edge.source}__t{edge.key}": index}
    if earlier is not None:
        prev = {**earlier.prev, **prev}
        if context != earlier.context and context != 0:
            joined = len(engine.state.contexts)
            engine.tell(f.ContextAdded({}, earlier.context, context))
            context = joined
        else:
            context = earlier.context
    is_ready = engine.state.is_satisfied(edge.target, entry.route)
    staged = f.Staged(edge.target, route, context, prev, is_ready, run_on_fail=bool(earlier and earlier.run_on_fail))
    engine.tell(staged)
    if edge.target not in COMMANDS or published:
        details: dict[str, Any] = {"next": edge.target, "when": edge.when, "publish": list(published)}
        engine.note("transition", entry.task, entry.route, **{key: value for key, value in details.items() if value})
    if not is_ready and edge.target not in COMMANDS:
        engine.note("task_waiting", edge.target, route)
    return staged


def _route(engine: Engine, edge: Edge, route: int) -> int:
    """Returns the route behind a way: a task that several ways lead to has one route for each."""
    if not engine.graph.splits(edge.target):
        return route
    old = engine.state.routes[route]
    name = f"{edge.source}__t{edge.key}"
    if name in old:
        return route
    engine.tell(f.RouteAdded((*old, name)))
    return len(engine.state.routes) - 1


def terminal_context(engine: Engine) -> dict[str, Any]:
    """Returns the context for the output: the contexts of all terminal runs, the later ones over the earlier."""
    ends = [engine.state.sequence[index].context for index in sorted(engine.state.terminal)]
    if not ends:
        return {}
    variables = engine.contexts.full(ends[0])
    for context in dict.fromkeys(ends[1:]):
        variables = merged(variables, engine.contexts.added(context))
    return variables
