"""Workflows on a stage: conducted without a server, with results by task."""

from __future__ import annotations

from typing import Any

from squall.core.expr.language import Language
from squall.core.workflow.conducting.conductor import Conductor, Step
from squall.core.workflow.conducting.engine import RunAction
from squall.core.workflow.conducting.facts import AnyFact
from squall.core.workflow.conducting.state import Entry, State
from squall.core.workflow.definition.graph import Graph
from squall.core.workflow.definition.spec import load_document, read_workflow

LANGUAGE = Language()


class Stage:
    """`Outside` with counted ids; keeps every fact and every command."""

    def __init__(self, text: str, inputs: dict[str, Any] | None = None, most: int = 100_000) -> None:
        self.graph = Graph(read_workflow(load_document(text)))
        self.conductor = Conductor(State(self.graph), LANGUAGE, self, most)
        self.state = self.conductor.state
        self.facts: list[AnyFact] = []
        self.open: list[RunAction] = []
        self.notes: list[str] = []
        self.results: dict[tuple[str, int | None], Any] = {}
        self._ids = 0
        self.take(self.conductor.start(inputs or {}, {}, 1))

    def take(self, step: Step) -> None:
        while True:
            self.facts += step.facts
            self.open += step.commands
            self.notes += [note.event for note in step.notes]
            if not step.more:
                return
            step = self.conductor.advance(1)

    def end(self, task: str, status: str = "succeeded", result: Any = None, item: int | None = None) -> None:
        command = next(each for each in self.open if each.task == task and each.item == item)
        if status in ("succeeded", "failed", "canceled", "timeout", "abandoned"):
            self.open.remove(command)
        self.results[command.task_execution, item] = result
        self.take(self.conductor.action(command.task_execution, item, status, result, 2))

    def ask(self, status: str) -> None:
        self.take(self.conductor.request(status, 3))

    def names(self) -> list[str]:
        return sorted(command.task for command in self.open)

    def replayed(self) -> State:
        state = State(self.graph)
        for fact in self.facts:
            state.apply(fact)
        return state

    def new_id(self) -> str:
        self._ids += 1
        return f"{self._ids:024x}"

    def item_results(self, task_execution: str, count: int) -> list[Any]:
        return [self.results.get((task_execution, item)) for item in range(count)]

    def task_document(self, entry: Entry, items: int | None) -> dict[str, Any]:
        return {"result": self.results.get((entry.id, None))}

    def key(self, name: str, decrypt: bool) -> Any:
        raise LookupError(name)
