"""The stored form of a workflow's state."""

from __future__ import annotations

from typing import Any

import msgspec

from squall.core.workflow.conducting import facts as f
from squall.core.workflow.conducting.coding import Coding, encoded
from squall.core.workflow.conducting.state import Entry, Items, State
from squall.core.workflow.definition.graph import Graph


class Snapshot(msgspec.Struct, array_like=True):
    """The stored form of a state: everything that cannot be derived from the rest."""

    status: str
    contexts: list[f.ContextAdded]
    routes: list[tuple[str, ...]]
    sequence: list[Entry]
    staged: list[f.Staged]
    items: dict[int, Items]
    errors: list[dict[str, Any]]
    output: dict[str, Any] | None
    rendered: bool


_SNAPSHOTS = Coding[Snapshot](Snapshot)


def snapshot(state: State) -> bytes:
    """Encodes a whole state, for the store."""
    return encoded(
        Snapshot(
            state.status,
            state.contexts,
            state.routes,
            state.sequence,
            list(state.staged.values()),
            state.items,
            state.errors,
            state.output,
            state.rendered,
        )
    )


def restored(graph: Graph, data: bytes) -> State:
    """Returns the state of a snapshot. Raises `msgspec.ValidationError`."""
    saved = _SNAPSHOTS.decode(data)
    state = State(graph)
    state.status, state.contexts, state.routes = saved.status, saved.contexts, saved.routes
    state.items, state.output, state.rendered = saved.items, saved.output, saved.rendered
    for staged in saved.staged:
        state.apply(staged)
    for error in saved.errors:
        state.apply(f.ErrorLogged(error))
    for entry in saved.sequence:
        state.restore(entry)
    return state
