"""Paths in a workflow document: its tasks and transitions, with the paths that complaints name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from squall.core.workflow.definition.spec import targets

TASK_SCHEMA = "properties.tasks.patternProperties.^\\w+$"


class WrittenTask(NamedTuple):
    """A task as it is written. A value that is not an object counts as an empty one."""

    name: str
    written: Mapping[str, Any]

    @property
    def path(self) -> str:
        """The path of the task: `tasks.x`."""
        return f"tasks.{self.name}"

    def transitions(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Yields the entries of `next` that are objects, with their indices."""
        entries = self.written.get("next")
        for at, entry in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(entry, dict):
                yield at, entry

    def next_tasks(self) -> list[tuple[str, int]]:
        """Returns the names behind `do`, each with the index of its transition, ordered by name."""
        return sorted((name, at) for at, entry in self.transitions() for name in names_of(entry))


def names_of(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the names behind a transition's `do`; none if it is neither a list nor a text."""
    do = entry.get("do")
    return targets(do) if do is None or isinstance(do, str | list) else ()


def written_tasks(document: Mapping[str, Any]) -> list[WrittenTask]:
    """Returns the tasks of a document."""
    tasks = document.get("tasks")
    if not isinstance(tasks, dict):
        return []
    return [WrittenTask(str(name), task if isinstance(task, dict) else {}) for name, task in tasks.items()]
