"""Where things stand in a written workflow: tasks and transitions, with the paths that complaints name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from squall.core.workflow.definition.spec import targets

TASK_SCHEMA = "properties.tasks.patternProperties.^\\w+$"


class WrittenTask(NamedTuple):
    """A task as it is written. What is no object counts as an empty one."""

    name: str
    written: Mapping[str, Any]

    @property
    def path(self) -> str:
        """`tasks.x`."""
        return f"tasks.{self.name}"

    def transitions(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """The entries of `next` that are objects, with their places."""
        entries = self.written.get("next")
        for at, entry in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(entry, dict):
                yield at, entry

    def next_tasks(self) -> list[tuple[str, int]]:
        """The names behind `do`, with the place of their transition, by name."""
        return sorted((name, at) for at, entry in self.transitions() for name in names_of(entry))


def names_of(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """The names behind a transition's `do`; none for what is no list and no text."""
    do = entry.get("do")
    return targets(do) if do is None or isinstance(do, str | list) else ()


def written_tasks(document: Mapping[str, Any]) -> list[WrittenTask]:
    """The tasks of a document."""
    tasks = document.get("tasks")
    if not isinstance(tasks, dict):
        return []
    return [WrittenTask(str(name), task if isinstance(task, dict) else {}) for name, task in tasks.items()]
