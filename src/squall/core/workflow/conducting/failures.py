"""The causes of a workflow's failure: the runs of tasks to repeat, or a sentence if there are none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from squall.core.workflow.conducting import status as st
from squall.core.workflow.conducting.state import Entry, State
from squall.core.workflow.definition.graph import Edge
from squall.core.workflow.definition.spec import COMMANDS

_ALWAYS = ("<% completed() %>", "{{ completed() }}")


class Failures(msgspec.Struct, frozen=True):
    """Indices of runs in the order of the sequence.

    `failed` runs failed, were canceled, or never ended. `suspects` succeeded, but an expression or the command `fail`
    behind them failed the workflow.
    """

    failed: list[int]
    suspects: list[int]

    @property
    def runs(self) -> list[int]:
        """All runs to repeat so that no failure remains."""
        return sorted({*self.failed, *self.suspects})


def failures(state: State) -> Failures:
    """Finds the runs that kept a workflow from succeeding. A failure that the workflow handled counts if it led to the
    command `fail` or to an unreachable join."""
    failed: set[int] = set()
    suspects: set[int] = set()
    if state.status == st.SUCCEEDED:
        return Failures([], [])
    for index in state.terminal:
        entry = state.sequence[index]
        if entry.task in COMMANDS:
            if entry.status in st.ABENDED:
                causes = _causes(state, index)
                failed.update(causes)
                suspects.update(() if causes else _before(state, index))
        elif entry.status in st.ABENDED | {st.CANCELED}:
            failed.add(index)
        elif _has_open_ways(state, entry):
            suspects.add(index)
    if state.status == st.CANCELED:
        # Nothing follows a run that ends while its workflow is being canceled, whatever its status.
        failed.update(index for index in state.latest.values() if _has_open_ways(state, state.sequence[index]))
    failed.update(unfinished(state))
    for task, route in _error_places(state):
        staged = state.staged.get((task, route))
        if (task, route) in state.latest:
            if staged is None or not staged.ready or staged.completed:
                suspects.add(state.latest[task, route])
        elif staged is not None and not staged.ready:
            failed.update(_missing_at_join(state, task, route))
    suspects = {index for index in suspects if index not in failed}
    return Failures(sorted(failed), sorted(suspects))


def unfinished(state: State) -> list[int]:
    """Returns the latest runs that had not ended when the workflow did, and that cannot continue from there."""
    indices = []
    for key, index in state.latest.items():
        if state.sequence[index].status in st.FINAL | {st.UNSET}:
            continue
        staged = state.staged.get(key)
        items = state.items.get(index)
        continues = staged is not None and staged.entry == index and staged.ready and not staged.completed
        if continues and (items is None or not any(each not in st.FINAL | {st.UNSET} for each in items.statuses)):
            continue
        indices.append(index)
    return indices


def why_nothing_failed(state: State, status: str, result: Any) -> str:
    """Returns a sentence for the user: why a re-run of the failed tasks would run nothing, and what to do instead.

    `status` and `result` are those of the workflow's execution, which may differ from the state's.
    """
    if status == st.SUCCEEDED:
        return "No task of the workflow failed: it succeeded. Run the whole workflow again, or name the tasks to run."
    reason = first_error(state.errors) or first_error(result) or "it had no task left to run"
    suspects = list(dict.fromkeys(state.sequence[index].task for index in failures(state).suspects))
    fails = [index for index in state.terminal if state.sequence[index].task == "fail"]
    if fails and suspects:
        why = f"it ran the command fail after {_quoted(suspects)}, and no task before that had failed"
    elif fails:
        why = "it ran the command fail, and no task before that had failed"
    elif suspects:
        why = f"an expression of {_quoted(suspects)} failed ({reason})"
    else:
        why = reason.removesuffix(".")
    advice = f"Name the tasks to run again, for example {_quoted(suspects)}, or run" if suspects else "Run"
    return f"No task of the workflow failed. It ended {status} because {why}. {advice} the whole workflow again."


def _has_open_ways(state: State, entry: Entry) -> bool:
    """Checks whether a run ended, and its ways out were not evaluated."""
    if entry.status not in st.FINAL or entry.task in COMMANDS:
        return False
    edges = state.graph.outbound.get(entry.task, ())
    return any(edge.id not in entry.next for edge in edges) or (not edges and entry.status != st.SUCCEEDED)


def _quoted(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def first_error(document: Any) -> str | None:
    """Returns the first message in a list of errors, or in the result document of an execution."""
    errors = document.get("errors") if isinstance(document, dict) else document
    if isinstance(errors, list) and errors and isinstance(errors[0], dict) and "message" in errors[0]:
        return str(errors[0]["message"])
    if isinstance(document, dict) and "error" in document:
        return str(document["error"])
    return None


def _error_places(state: State) -> Iterator[tuple[str, int]]:
    """Yields the tasks and routes with failed expressions or unreachable joins. The error of a failed action names no
    route."""
    for error in state.errors:
        task, route = error.get("task_id"), error.get("route")
        if isinstance(task, str) and isinstance(route, int):
            yield task, route


def _causes(state: State, index: int) -> set[int]:
    """Returns the failed runs that led to a run. The failed handler of a failed run does not count: its cause does."""
    nearest = _nearest(state, index, conditional=True) or _nearest(state, index, conditional=False)
    causes: set[int] = set()
    waiting = list(nearest)
    while waiting:
        each = waiting.pop()
        before = [prior for prior in _before(state, each) if _has_failed(state.sequence[prior])]
        if before:
            waiting += before
        else:
            causes.add(each)
    return causes


def _nearest(state: State, index: int, conditional: bool) -> set[int]:
    """Returns the failed runs on the ways back from a run: the first one on each way.

    `conditional` skips runs that were left by a way without a condition: their failure decided nothing.
    """
    failed: set[int] = set()
    visited = {index}
    waiting = [index]
    while waiting:
        entry = state.sequence[waiting.pop()]
        for name, prior in entry.prev.items():
            if prior in visited:
                continue
            visited.add(prior)
            edge = _edge(state, prior, name, entry.task)
            decides = edge is None or (edge.when is not None and edge.when.strip() not in _ALWAYS)
            if _has_failed(state.sequence[prior]) and (decides or not conditional):
                failed.add(prior)
            else:
                waiting.append(prior)
    return failed


def _before(state: State, index: int) -> list[int]:
    return [prior for prior in state.sequence[index].prev.values() if state.sequence[prior].task not in COMMANDS]


def _has_failed(entry: Entry) -> bool:
    return entry.status in st.ABENDED and entry.task not in COMMANDS


def _edge(state: State, prior: int, name: str, target: str) -> Edge | None:
    for edge in state.graph.outbound.get(state.sequence[prior].task, ()):
        if edge.target == target and f"{edge.source}__t{edge.key}" == name:
            return edge
    return None


def _missing_at_join(state: State, join: str, route: int) -> set[int]:
    """Returns the failed runs that kept a join from being reached: failed sources, or failed runs before them."""
    failed: set[int] = set()
    visited = {join}
    waiting = list(state.graph.inbound.get(join, ()))
    while waiting:
        edge = waiting.pop()
        entry = state.latest_on(edge.source, route)
        if entry is not None and entry.next.get(edge.id):
            continue
        if edge.source in visited:
            continue
        visited.add(edge.source)
        if entry is None:
            waiting += state.graph.inbound.get(edge.source, ())
        elif _has_failed(entry):
            failed.add(state.by_id[entry.id])
        else:
            failed |= _causes(state, state.by_id[entry.id])
    return failed
