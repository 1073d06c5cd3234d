"""Rehearsals: a workflow is conducted with scripted results instead of actions, and its end is compared.

The form is that of `orquesta-rehearse`, also that of a re-run (`workflow_state`, `rerun_tasks`); `definition` (the
workflow itself), `expected_task_statuses` and `expected_inspection_errors` as a list are additions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from squall.core.errors import InvalidError
from squall.core.expr.language import Language
from squall.core.workflow.conducting.conductor import Conductor
from squall.core.workflow.conducting.engine import RunAction
from squall.core.workflow.conducting.rerun import TaskRerun
from squall.core.workflow.conducting.state import Entry, State
from squall.core.workflow.definition.graph import Graph
from squall.core.workflow.definition.inspect import inspect_workflow
from squall.core.workflow.definition.spec import load_document, read_workflow
from squall.core.workflow.rehearsal.orquesta_state import OrquestaState

_GROUPS = {
    "syntax": "syntax",
    "semantics": "semantic",
    "expressions": "expression",
    "context": "context",
    "contents": "content",
}


class MockAction(msgspec.Struct, forbid_unknown_fields=True):
    """A scripted result of a task, or of one item, for `num_iter` runs."""

    task_id: str
    route: int = 0
    seq_id: int | None = None
    item_id: int | None = None
    iter_id: int = 0
    num_iter: int = 1
    status: str = "succeeded"
    result: Any = None
    result_path: str | None = None


class RerunTask(msgspec.Struct, forbid_unknown_fields=True):
    """A task that runs again after the workflow has ended."""

    task_id: str
    route: int = 0
    reset_items: bool = False


class Rehearsal(msgspec.Struct, forbid_unknown_fields=True):
    """A rehearsal: the workflow, its scripted results, and the expectations. `workflow` is a path, for callers that
    read files."""

    expected_task_sequence: list[str] | None = None
    workflow: str | None = None
    definition: str | dict[str, Any] | None = None
    name: str | None = None
    inputs: dict[str, Any] = {}
    mock_action_executions: list[MockAction] = []
    rerun_tasks: list[RerunTask] = []
    workflow_state: dict[str, Any] | None = None
    expected_inspection_errors: dict[str, list[dict[str, Any]]] | list[dict[str, Any]] | None = None
    expected_routes: list[list[str]] | None = None
    expected_workflow_status: str = "succeeded"
    expected_errors: list[dict[str, Any]] | None = None
    expected_output: dict[str, Any] | None = None
    expected_term_tasks: list[str] | None = None
    expected_task_statuses: dict[str, str] | None = None


ResultOf = Callable[[RunAction], tuple[str, Any]]
"""Returns (status, result) of an action."""


def read_rehearsal(document: Any) -> Rehearsal:
    """Reads a rehearsal from plain values. Raises `InvalidError` that names the field."""
    try:
        rehearsal = msgspec.convert(document, Rehearsal)
    except msgspec.ValidationError as error:
        raise InvalidError(f"The rehearsal is wrong: {error}") from error
    if rehearsal.workflow_state is not None:
        _check_state(rehearsal, OrquestaState(rehearsal.workflow_state))
    return rehearsal


def _check_state(rehearsal: Rehearsal, state: OrquestaState) -> None:
    """Takes the definition from the state if the rehearsal has none. Raises `InvalidError` for a re-run of single
    items."""
    if rehearsal.workflow is None and rehearsal.definition is None:
        rehearsal.definition = state.definition
    items = state.with_items()
    for task in rehearsal.rerun_tasks:
        if task.task_id in items and not task.reset_items:
            raise InvalidError(
                f'rerun_tasks: the items of task "{task.task_id}" are not in workflow_state: it can only be run again '
                "with reset_items: true"
            )


class Rehearsed(msgspec.Struct):
    """The outcome of a rehearsal: complaints about the definition, or the conductor at the end."""

    complaints: list[dict[str, Any]]
    conductor: Conductor | None = None


def rehearse(rehearsal: Rehearsal, text: str, language: Language, result_of: ResultOf | None = None) -> list[str]:
    """Runs a rehearsal. Returns a sentence for each difference from its expectations."""
    rehearsed = conduct(rehearsal, text, language, result_of)
    expected = rehearsal.expected_inspection_errors
    if expected or rehearsed.complaints:
        return _differences("inspection errors", _as_listed(rehearsed.complaints, expected), expected or [])
    assert rehearsed.conductor is not None  # noqa: S101 - there are no complaints
    return list(_compare(rehearsal, rehearsed.conductor))


def conduct(rehearsal: Rehearsal, text: str, language: Language, result_of: ResultOf | None = None) -> Rehearsed:
    """Conducts a workflow round by round: all actions of a round end, then the next tasks start."""
    document = load_document(text)
    complaints = inspect_workflow(document, language)
    if complaints:
        return Rehearsed(complaints)
    script = result_of or _Script(rehearsal.mock_action_executions)
    stage = _Stage()
    graph = Graph(read_workflow(document))
    reruns = [TaskRerun(task.task_id, task.route, task.reset_items) for task in rehearsal.rerun_tasks]
    clock = 0
    if rehearsal.workflow_state is None:
        conductor = Conductor(State(graph), language, stage, stepwise=True)
        step = conductor.start(rehearsal.inputs, {}, clock)
    else:
        state = OrquestaState(rehearsal.workflow_state).restored(graph)
        conductor = Conductor(state, language, stage, stepwise=True)
        step, reruns = conductor.rerun(reruns, clock), []
    stage.conductor = conductor
    while True:
        commands = list(step.commands)
        while step.more:
            step = conductor.advance(clock)
            commands += step.commands
        if not commands and not reruns:
            return Rehearsed([], conductor)
        clock += 1
        if not commands:
            step, reruns = conductor.rerun(reruns, clock), []
            continue
        for command in commands:
            status, result = script(command)
            stage.results[command.task_execution, command.item] = status, result
            conductor.action(command.task_execution, command.item, status, result, clock)
        step = conductor.advance(clock)


class _Script:
    """The scripted results, used in the order of the document."""

    def __init__(self, mocks: list[MockAction]) -> None:
        self._mocks = mocks
        self._used = [0] * len(mocks)
        self._seq: dict[str, int] = {}

    def __call__(self, command: RunAction) -> tuple[str, Any]:
        number = self._seq.setdefault(command.task_execution, len(self._seq))
        index = self._find(command, number)
        if index is None:
            return "succeeded", None
        self._used[index] += 1
        return self._mocks[index].status, self._mocks[index].result

    def _find(self, command: RunAction, number: int) -> int | None:
        fitting = [
            at
            for at, mock in enumerate(self._mocks)
            if mock.task_id == command.task
            and self._used[at] < mock.num_iter
            and mock.seq_id in (None, number)
            and (command.item is None or mock.item_id in (None, command.item))
        ]
        exact = [at for at in fitting if self._mocks[at].route == command.route]
        return next(iter(exact or fitting), None)


class _Stage:
    """The `engine.Outside` of a rehearsal: ids are numbers, results those of the script, and there are no keys."""

    def __init__(self) -> None:
        self.results: dict[tuple[str, int | None], tuple[str, Any]] = {}
        self.conductor: Conductor | None = None
        self._ids = 0

    def new_id(self) -> str:
        self._ids += 1
        return f"{self._ids:024x}"

    def item_results(self, task_execution: str, count: int) -> list[Any]:
        return [self.results.get((task_execution, item), ("", None))[1] for item in range(count)]

    def task_document(self, entry: Entry, items: int | None) -> dict[str, Any]:
        result: Any = self.results.get((entry.id, None), ("", None))[1]
        if items is not None:
            ends = [self.results.get((entry.id, item)) for item in range(items)]
            result = {"items": [{"status": each[0], "result": each[1]} if each else None for each in ends]}
        return {
            "task_execution_id": entry.id,
            "workflow_execution_id": "",
            "task_name": entry.task,
            "task_id": entry.task,
            "route": entry.route,
            "result": result,
            "status": entry.status,
            "start_timestamp": entry.start,
            "end_timestamp": entry.end,
        }

    def key(self, name: str, decrypt: bool) -> Any:
        raise LookupError(name)


def _compare(rehearsal: Rehearsal, conductor: Conductor) -> list[str]:
    state = conductor.state
    names = [_name(entry) for entry in state.sequence]
    differences: list[str] = []
    if rehearsal.expected_task_sequence is not None:
        expected = [name.removesuffix("__r0") for name in rehearsal.expected_task_sequence]
        differences += _differences("task sequence", names, expected)
    if rehearsal.expected_routes is not None or rehearsal.definition is None:
        differences += _differences(
            "routes", [list(route) for route in state.routes], rehearsal.expected_routes or [[]]
        )
    differences += _differences("workflow status", state.status, rehearsal.expected_workflow_status)
    if rehearsal.expected_errors is not None:
        differences += _differences("workflow errors", state.errors, rehearsal.expected_errors)
    if rehearsal.expected_output is not None:
        differences += _differences("workflow output", state.output, rehearsal.expected_output)
    if rehearsal.expected_term_tasks is not None:
        ends = sorted(names[index] for index in state.terminal)
        expected = sorted(name.removesuffix("__r0") for name in rehearsal.expected_term_tasks)
        differences += _differences("terminal tasks", ends, expected)
    for task, status in (rehearsal.expected_task_statuses or {}).items():
        entries = [entry for entry in state.sequence if task in (entry.task, _name(entry))]
        differences += _differences(f'status of task "{task}"', entries[-1].status if entries else None, status)
    return differences


def _name(entry: Entry) -> str:
    return f"{entry.task}__r{entry.route}" if entry.route else entry.task


def _differences(subject: str, actual: Any, expected: Any) -> list[str]:
    return [] if actual == expected else [f"The actual {subject} {actual!r} does not match expected {expected!r}."]


def _as_listed(complaints: list[dict[str, Any]], expected: Any) -> Any:
    """Returns the complaints in the form of the expectation: a list, or groups as Orquesta writes them."""
    if not isinstance(expected, Mapping):
        return complaints
    grouped: dict[str, list[dict[str, Any]]] = {}
    for group, kind in _GROUPS.items():
        of_kind = [dict(each) for each in complaints if each["type"] == kind]
        for each in of_kind:
            del each["type"]
            if "language" in each:
                each["type"] = each.pop("language")
        if of_kind:
            grouped[group] = of_kind
    return grouped
