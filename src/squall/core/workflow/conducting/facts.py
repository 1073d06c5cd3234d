"""The stored facts of a workflow: small records, each of which changes the state when it is applied.

They hold values, never expressions: a replay evaluates nothing and always gives the same state.
"""

from __future__ import annotations

from typing import Any

import msgspec

from squall.core.workflow.conducting.coding import Coding, encoded


class Fact(msgspec.Struct, frozen=True, array_like=True, tag_field="fact"):
    """One change of a workflow's state."""


class StatusChanged(Fact, frozen=True, tag="s"):
    """The workflow's new status."""

    status: str


class ContextAdded(Fact, frozen=True, tag="c"):
    """A new context: `values` over context `base` (-1: none). At a join, the values that context `other` adds come
    between them."""

    values: dict[str, Any]
    base: int = -1
    other: int = -1


class RouteAdded(Fact, frozen=True, tag="r"):
    """A new route: the transitions that split it from others."""

    transitions: tuple[str, ...]


class Staged(Fact, frozen=True, tag="g"):
    """A task that waits to be started, or for other tasks to lead to it. It replaces an earlier fact of the task and
    route.

    `entry` is the run that continues: it has items to start, or is retried after `retry_delay` (s).
    """

    task: str
    route: int
    context: int
    prev: dict[str, int]
    ready: bool
    retry_delay: float | None = None
    run_on_fail: bool = False
    completed: bool = False
    entry: int = -1


class Unstaged(Fact, frozen=True, tag="u"):
    """The task waits no more."""

    task: str
    route: int


class TaskAdded(Fact, frozen=True, tag="t"):
    """A new run of a task. `id` is that of its task execution; `retry` is `[count, delay, when]`; `at` is µs since
    1970."""

    id: str
    task: str
    route: int
    context: int
    prev: dict[str, int]
    at: int
    retry: tuple[int, float, str | None] | None = None


class TaskChanged(Fact, frozen=True, tag="k"):
    """A run's new status, since `at` (µs since 1970)."""

    entry: int
    status: str
    at: int


class TaskRetried(Fact, frozen=True, tag="y"):
    """A run is retried."""

    entry: int


class TransitionTaken(Fact, frozen=True, tag="n"):
    """The evaluation of a way out of a run; `taken`: the workflow took it."""

    entry: int
    edge: str
    target: str
    taken: bool


class WaysUndone(Fact, frozen=True, tag="b"):
    """A run counts as having taken no way out: it is repeated, or a run that led to it is."""

    entry: int


class TaskEnds(Fact, frozen=True, tag="e"):
    """The mark of a run that ends its branch (`terminal`), or its removal."""

    entry: int
    terminal: bool


class ItemsOpened(Fact, frozen=True, tag="o"):
    """The items of a run."""

    entry: int
    values: list[Any]
    concurrency: int | None = None


class ItemChanged(Fact, frozen=True, tag="i"):
    """An item's new status; `null`: the item runs again."""

    entry: int
    item: int
    status: str


class ErrorLogged(Fact, frozen=True, tag="x"):
    """A new entry in the list of errors."""

    error: dict[str, Any]


class ErrorsDropped(Fact, frozen=True, tag="d"):
    """The errors of a task are removed: the task runs again. Without a task: the errors that name none, such as the
    output's."""

    task: str | None


class OutputSet(Fact, frozen=True, tag="p"):
    """The workflow's output; `rendered` is false if it has to be rendered again."""

    output: dict[str, Any] | None
    rendered: bool = True


AnyFact = (
    StatusChanged
    | ContextAdded
    | RouteAdded
    | Staged
    | Unstaged
    | TaskAdded
    | TaskChanged
    | TaskRetried
    | TransitionTaken
    | WaysUndone
    | TaskEnds
    | ItemsOpened
    | ItemChanged
    | ErrorLogged
    | ErrorsDropped
    | OutputSet
)

_FACTS = Coding[list[AnyFact]](list[AnyFact])


def encode_facts(facts: list[AnyFact]) -> bytes:
    """Encodes facts for the store."""
    return encoded(facts)


def decode_facts(data: bytes) -> list[AnyFact]:
    """Decodes the bytes of `encode_facts`. Raises `msgspec.ValidationError`."""
    return _FACTS.decode(data)
