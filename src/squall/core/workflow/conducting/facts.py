"""What happened in a workflow, as it is stored: small records that change the state when they are applied.

They hold values, never expressions: replaying them evaluates nothing and always gives the same state.
"""

from __future__ import annotations

from typing import Any

import msgspec

from squall.core.workflow.conducting.coding import Coding, encoded


class Fact(msgspec.Struct, frozen=True, array_like=True, tag_field="fact"):
    """One change of a workflow's state."""


class StatusChanged(Fact, frozen=True, tag="s"):
    """The workflow's status."""

    status: str


class ContextAdded(Fact, frozen=True, tag="c"):
    """A context: `values` over context `base` (none: -1), and between them, at a join, what context `other` adds."""

    values: dict[str, Any]
    base: int = -1
    other: int = -1


class RouteAdded(Fact, frozen=True, tag="r"):
    """A route: the transitions that split it from others."""

    transitions: tuple[str, ...]


class Staged(Fact, frozen=True, tag="g"):
    """A task that waits to be started, or for others to lead to it. A later one takes the place of an earlier.

    `entry` is the run that is going on: one with items still to start, or to be tried again after `retry_delay` (s).
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
    """It waits no more."""

    task: str
    route: int


class TaskAdded(Fact, frozen=True, tag="t"):
    """A run of a task. `id` is its task execution's; `retry` is `[count, delay, when]`; `at` µs since 1970."""

    id: str
    task: str
    route: int
    context: int
    prev: dict[str, int]
    at: int
    retry: tuple[int, float, str | None] | None = None


class TaskChanged(Fact, frozen=True, tag="k"):
    """A run's status, since when."""

    entry: int
    status: str
    at: int


class TaskRetried(Fact, frozen=True, tag="y"):
    """A run is tried once more."""

    entry: int


class TransitionTaken(Fact, frozen=True, tag="n"):
    """Whether a way out of a run's task was taken."""

    entry: int
    edge: str
    target: str
    taken: bool


class WaysUndone(Fact, frozen=True, tag="b"):
    """A run counts as having taken no way out: it is repeated, or what led to it is."""

    entry: int


class TaskEnds(Fact, frozen=True, tag="e"):
    """Whether a run is the end of its branch."""

    entry: int
    terminal: bool


class ItemsOpened(Fact, frozen=True, tag="o"):
    """The items of a run."""

    entry: int
    values: list[Any]
    concurrency: int | None = None


class ItemChanged(Fact, frozen=True, tag="i"):
    """One item's status; `null` to have it run again."""

    entry: int
    item: int
    status: str


class ErrorLogged(Fact, frozen=True, tag="x"):
    """An entry of the list of errors."""

    error: dict[str, Any]


class ErrorsDropped(Fact, frozen=True, tag="d"):
    """The errors of a task are gone: it runs again. Without a task, those that name none, such as the output's."""

    task: str | None


class OutputSet(Fact, frozen=True, tag="p"):
    """The workflow's output; `rendered` is false when it is to be worked out again."""

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
    """Facts as bytes, for the store."""
    return encoded(facts)


def decode_facts(data: bytes) -> list[AnyFact]:
    """What `encode_facts` was given. Raises `msgspec.ValidationError`."""
    return _FACTS.decode(data)
