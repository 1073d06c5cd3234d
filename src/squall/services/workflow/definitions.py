"""The texts of workflows, kept as they were when a run of theirs began; their graphs; and what is wrong with a text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

from squall.core.content.action import Action, RunnerType, merged_parameters
from squall.core.errors import InvalidError
from squall.core.workflow.definition.graph import Graph
from squall.core.workflow.definition.inspect import inspect_workflow
from squall.core.workflow.definition.paths import written_tasks
from squall.core.workflow.definition.spec import action_and_input, load_document, read_workflow
from squall.ports import Store
from squall.services.content.content import Content
from squall.services.workflow.expressions import Languages

_KEPT = 256


class _Inspection(NamedTuple):
    """What is wrong with a text, given these actions, each with its runner; None where there is no such action."""

    actions: Mapping[str, tuple[Action, RunnerType] | None]
    complaints: list[dict[str, Any]]


class Definitions:
    """Definitions by the hash of their text. Graphs never change, so those used last are kept in memory."""

    def __init__(self, store: Store, content: Content, languages: Languages) -> None:
        self._store = store
        self._content = content
        self._languages = languages
        self._graphs: dict[str, Graph] = {}
        self._inspections: dict[str, _Inspection] = {}

    async def graph(self, key: str) -> Graph:
        """The graph of a text that has been kept. Raises `InvalidError` when it is gone."""
        found = self._graphs.get(key)
        if found is None:
            text = await self._store.read(lambda tx: tx.workflows.definition(key))
            if text is None:
                raise InvalidError(f'The definition "{key}" of a workflow is gone')
            found = self._keep(key, Graph(read_workflow(load_document(text))))
        return found

    def read(self, text: str) -> tuple[str, Graph]:
        """The key and the graph of a text that has passed inspection. Raises `InvalidError`."""
        key = key_of(text)
        return key, self._graphs.get(key) or self._keep(key, Graph(read_workflow(load_document(text))))

    def _keep(self, key: str, graph: Graph) -> Graph:
        if len(self._graphs) >= _KEPT:
            del self._graphs[next(iter(self._graphs))]
        self._graphs[key] = graph
        return graph

    async def inspect(self, text: str | bytes) -> list[dict[str, Any]]:
        """What is wrong with a text, in Orquesta's form; empty when nothing is. Raises `InvalidError` for no YAML."""
        key = key_of(text)
        if (last := self._inspections.get(key)) is not None and await self._actions(last.actions) == last.actions:
            return last.complaints
        document = load_document(text)
        written = (action_and_input(task.written)[0] for task in written_tasks(document))
        actions = await self._actions({action for action in written if isinstance(action, str)})
        known = {ref: merged_parameters(*action) if action is not None else None for ref, action in actions.items()}
        complaints = await self._languages.apart(partial(inspect_workflow, document, parameters_of=known.get))
        if len(self._inspections) >= _KEPT:
            del self._inspections[next(iter(self._inspections))]
        self._inspections[key] = _Inspection(actions, complaints)
        return complaints

    async def _actions(self, refs: Iterable[str]) -> dict[str, tuple[Action, RunnerType] | None]:
        return {ref: await self._content.runnable(ref) for ref in refs}


def key_of(text: str | bytes) -> str:
    """The hash that names a text."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()[:32]
