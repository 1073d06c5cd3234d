"""Reads and inspects the texts of workflows, and caches their graphs. The store keeps the text that each run uses."""

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

_CAPACITY = 256


class _Inspection(NamedTuple):
    """The complaints about a text, with the actions (and runners) it was checked against; None for a missing action."""

    actions: Mapping[str, tuple[Action, RunnerType] | None]
    complaints: list[dict[str, Any]]


class Definitions:
    """The definitions by the hash of their text. Graphs never change, so the latest ones stay in memory."""

    def __init__(self, store: Store, content: Content, languages: Languages) -> None:
        self._store = store
        self._content = content
        self._languages = languages
        self._graphs: dict[str, Graph] = {}
        self._inspections: dict[str, _Inspection] = {}

    async def graph(self, key: str) -> Graph:
        """Returns the graph of a stored text. Raises `InvalidError` if the text is gone."""
        graph = self._graphs.get(key)
        if graph is None:
            text = await self._store.read(lambda tx: tx.workflows.definition(key))
            if text is None:
                raise InvalidError(f'The definition "{key}" of a workflow is gone')
            graph = self._cache(key, Graph(read_workflow(load_document(text))))
        return graph

    def read(self, text: str) -> tuple[str, Graph]:
        """Returns the key and the graph of a text that has passed inspection. Raises `InvalidError`."""
        key = key_of(text)
        return key, self._graphs.get(key) or self._cache(key, Graph(read_workflow(load_document(text))))

    def _cache(self, key: str, graph: Graph) -> Graph:
        if len(self._graphs) >= _CAPACITY:
            del self._graphs[next(iter(self._graphs))]
        self._graphs[key] = graph
        return graph

    async def inspect(self, text: str | bytes) -> list[dict[str, Any]]:
        """Returns the complaints about a text in Orquesta's form; empty if it is valid.

        Raises `InvalidError` if the text is no YAML.
        """
        key = key_of(text)
        if (last := self._inspections.get(key)) is not None and await self._actions(last.actions) == last.actions:
            return last.complaints
        document = await self._languages.apart(lambda _: load_document(text))
        written = (action_and_input(task.written)[0] for task in written_tasks(document))
        actions = await self._actions({action for action in written if isinstance(action, str)})
        schemas = {ref: merged_parameters(*action) if action is not None else None for ref, action in actions.items()}
        complaints = await self._languages.apart(partial(inspect_workflow, document, parameters_of=schemas.get))
        if len(self._inspections) >= _CAPACITY:
            del self._inspections[next(iter(self._inspections))]
        self._inspections[key] = _Inspection(actions, complaints)
        return complaints

    async def _actions(self, refs: Iterable[str]) -> dict[str, tuple[Action, RunnerType] | None]:
        return {ref: await self._content.runnable(ref) for ref in refs}


def key_of(text: str | bytes) -> str:
    """Returns the key of a text: 32 hex digits of its SHA-256."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()[:32]
