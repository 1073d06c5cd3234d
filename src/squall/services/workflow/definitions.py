"""The texts of workflows, kept as they were when a run of theirs began; their graphs; and what is wrong with a text."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from squall.core.content.action import merged_parameters
from squall.core.errors import InvalidError
from squall.core.expr.language import Language
from squall.core.workflow.definition.graph import Graph
from squall.core.workflow.definition.inspect import inspect_workflow
from squall.core.workflow.definition.paths import written_tasks
from squall.core.workflow.definition.spec import action_and_input, load_document, read_workflow
from squall.ports import Store
from squall.services.content.content import Content

_KEPT = 256


class Definitions:
    """Definitions by the hash of their text. Graphs never change, so those used last are kept in memory."""

    def __init__(self, store: Store, content: Content, new_language: Callable[[], Language]) -> None:
        self._store = store
        self._content = content
        self._new_language = new_language
        self._language: Language | None = None
        self._alone = asyncio.Lock()
        self._graphs: dict[str, Graph] = {}

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
        document = load_document(text)
        refs = set()
        for task in written_tasks(document):
            action, _ = action_and_input(task.written)
            if isinstance(action, str):
                refs.add(action)
        known: dict[str, Mapping[str, Any] | None] = {}
        for ref in refs:
            found = await self._content.runnable(ref)
            known[ref] = merged_parameters(*found) if found is not None else None
        async with self._alone:
            return await asyncio.to_thread(self._inspected, document, known)

    def _inspected(self, document: dict[str, Any], known: dict[str, Mapping[str, Any] | None]) -> list[dict[str, Any]]:
        if self._language is None:
            self._language = self._new_language()
        return inspect_workflow(document, self._language, known.get)


def key_of(text: str) -> str:
    """The hash that names a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
