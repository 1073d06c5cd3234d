"""The state of an ended workflow, as the Orquesta library writes it: rehearsals of re-runs start from one.

In that state a run of a task lists the contexts that it sees, to be merged in their order; a Squall context names the
one below it. Runs of tasks with items have the items' statuses but not their values: such a task can only run again
whole.
"""

from __future__ import annotations

from typing import Any

import msgspec

from squall.core.errors import InvalidError
from squall.core.workflow.conducting import facts as f
from squall.core.workflow.conducting import status as st
from squall.core.workflow.conducting.state import State
from squall.core.workflow.definition.graph import Graph


class _Contexts(msgspec.Struct, frozen=True):
    into: list[int] = msgspec.field(name="in", default_factory=list)


class _Run(msgspec.Struct):
    id: str
    route: int = 0
    ctxs: _Contexts = _Contexts()
    prev: dict[str, int] = {}
    next: dict[str, bool] = {}
    status: str | None = None
    term: bool = False
    ready: bool = True
    items: list[Any] | None = None


class _State(msgspec.Struct):
    status: str
    contexts: list[dict[str, Any]] = []
    routes: list[list[str]] = []
    sequence: list[_Run] = []
    staged: list[_Run] = []


class _Serialized(msgspec.Struct):
    state: _State
    spec: dict[str, Any] = {}
    errors: list[dict[str, Any]] = []
    output: dict[str, Any] | None = None


class OrquestaState:
    """A serialised conductor. Raises `InvalidError` that names the wrong field."""

    def __init__(self, document: dict[str, Any]) -> None:
        try:
            self._document = msgspec.convert(document, _Serialized)
        except msgspec.ValidationError as error:
            raise InvalidError(f"workflow_state: {error}") from error

    @property
    def definition(self) -> dict[str, Any] | None:
        """The workflow itself, which the state contains too."""
        spec = self._document.spec.get("spec")
        return spec if isinstance(spec, dict) else None

    def with_items(self) -> set[str]:
        """Returns the tasks that have run with items."""
        return {run.id for run in self._document.state.sequence if run.items is not None}

    def restored(self, graph: Graph) -> State:
        """Returns the same state as a Squall `State`."""
        state = State(graph)
        contexts: dict[tuple[int, ...], int] = {}
        for route in self._document.state.routes:
            state.apply(f.RouteAdded(tuple(route)))
        for at, run in enumerate(self._document.state.sequence):
            context = self._context(state, contexts, run)
            state.apply(f.TaskAdded(f"state-{at}", run.id, run.route, context, run.prev, 0))
            state.apply(f.TaskChanged(at, run.status or st.UNSET, 0))
            for edge in graph.outbound.get(run.id, ()):
                if edge.id in run.next:
                    state.apply(f.TransitionTaken(at, edge.id, edge.target, run.next[edge.id]))
            if run.term:
                state.apply(f.TaskEnds(at, True))
        for run in self._document.state.staged:
            state.apply(f.Staged(run.id, run.route, self._context(state, contexts, run), run.prev, run.ready))
        for error in self._document.errors:
            state.apply(f.ErrorLogged(error))
        state.apply(f.OutputSet(self._document.output))
        state.apply(f.StatusChanged(self._document.state.status))
        return state

    def _context(self, state: State, contexts: dict[tuple[int, ...], int], run: _Run) -> int:
        """Returns the context that a run sees: the first of its list, and each following one over those before.
        `contexts` maps the lists so far to their contexts."""
        base = -1
        for end, index in enumerate(run.ctxs.into, 1):
            if not 0 <= index < len(self._document.state.contexts):
                raise InvalidError(f'workflow_state: task "{run.id}" has context {index}, which is not in contexts')
            path = tuple(run.ctxs.into[:end])
            if path not in contexts:
                contexts[path] = len(state.contexts)
                state.apply(f.ContextAdded(self._document.state.contexts[index], base))
            base = contexts[path]
        return base
