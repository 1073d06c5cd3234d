"""A workflow's state: the fold of its facts, with counts that make every query cheap."""

from __future__ import annotations

from typing import Any

import msgspec

from squall.core.workflow.conducting import facts as f
from squall.core.workflow.conducting.coding import encoded
from squall.core.workflow.conducting.status import (
    ABENDED,
    ACTIVE,
    CANCELED,
    CANCELING,
    FINAL,
    PAUSED,
    PAUSING,
    PENDING,
    UNSET,
    Tasks,
)
from squall.core.workflow.conducting.status import Items as OtherItems
from squall.core.workflow.definition.graph import Graph


class Entry(msgspec.Struct):
    """One run of a task. `next` maps each way out to whether it was taken; `tally` counts retries; times are µs since
    1970."""

    id: str
    task: str
    route: int
    context: int
    prev: dict[str, int]
    start: int
    status: str = UNSET
    next: dict[str, bool] = {}
    terminal: bool = False
    retry: tuple[int, float, str | None] | None = None
    tally: int = 0
    end: int | None = None


class Items(msgspec.Struct):
    """The items of a run: their values, their statuses, how many have each status (`counts`), and the index of the
    first one that has not started (`cursor`)."""

    values: list[Any]
    statuses: list[str]
    concurrency: int | None = None
    counts: dict[str, int] = {}
    cursor: int = 0

    def others(self, item: int | None, starting: bool) -> OtherItems:
        """Sums up all items but one. `starting`: items that have not started count as active."""
        own = self.statuses[item] if item is not None else None

        def has_others(statuses: frozenset[str]) -> bool:
            return self.count(statuses) > (own in statuses)

        return OtherItems(
            active=has_others(ACTIVE | _OPEN if starting else ACTIVE),
            paused=has_others(_PAUSED_ITEM),
            canceled=has_others(_CANCELED_ITEM),
            failed=has_others(ABENDED),
            incomplete=has_others(_OPEN | ACTIVE | _PAUSED_ITEM),
        )

    def count(self, statuses: frozenset[str]) -> int:
        """Returns the number of items that have one of these statuses."""
        return sum(self.counts.get(status, 0) for status in statuses)


_PAUSED_ITEM = frozenset({PENDING, PAUSED})
_CANCELED_ITEM = frozenset({CANCELED})
_OPEN = frozenset({UNSET, "retrying"})
_PAUSED_TASK = frozenset({PAUSING, PAUSED, PENDING})
_CANCELED_TASK = frozenset({CANCELING, CANCELED})


class State:
    """The state of one workflow over its graph. Only `apply` changes it."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.status = UNSET
        self.contexts: list[f.ContextAdded] = []
        self.routes: list[tuple[str, ...]] = []
        self.sequence: list[Entry] = []
        self.staged: dict[tuple[str, int], f.Staged] = {}
        self.items: dict[int, Items] = {}
        self.errors: list[dict[str, Any]] = []
        self.output: dict[str, Any] | None = None
        self.rendered = False
        self.latest: dict[tuple[str, int], int] = {}
        self.by_id: dict[str, int] = {}
        self.terminal: dict[int, None] = {}
        self._counts: dict[str, int] = {}
        self._waiting: dict[tuple[str, int], None] = {}
        self._satisfied: dict[tuple[str, int], set[str]] = {}
        self._encoded_errors: set[bytes] = set()

    # -- queries

    @property
    def tasks(self) -> Tasks:
        """The sum of the tasks' statuses, by their latest runs."""
        return Tasks(self._any(ACTIVE), self._any(_PAUSED_TASK), self._any(_CANCELED_TASK), bool(self._waiting))

    @property
    def has_running_actions(self) -> bool:
        """True if an action of a task is running. A task without started items has none."""
        if not self._any(ACTIVE):
            return False
        return any(
            self.sequence[index].status in ACTIVE and (index not in self.items or self.items[index].count(ACTIVE) > 0)
            for index in self.latest.values()
        )

    @property
    def waiting(self) -> list[f.Staged]:
        """The tasks that can be started, ordered by name and route."""
        return [self.staged[key] for key in sorted(self._waiting)]

    def _any(self, statuses: frozenset[str]) -> bool:
        return any(self._counts.get(status) for status in statuses)

    def entry(self, task: str, route: int) -> Entry | None:
        """Returns the latest run of a task on a route."""
        index = self.latest.get((task, route))
        return self.sequence[index] if index is not None else None

    def latest_on(self, task: str, route: int) -> Entry | None:
        """Returns the latest run on the route, or else on a route this one was split from."""
        while (index := self.latest.get((task, route))) is None and route > 0:
            own = set(self.routes[route])
            route = next((each for each in range(route - 1, -1, -1) if set(self.routes[each]) <= own), 0)
        return self.sequence[index] if index is not None else None

    def status_of(self, task: str, route: int) -> str | None:
        """Returns the status of the run that `latest_on` returns."""
        entry = self.latest_on(task, route)
        return entry.status if entry is not None else None

    def is_satisfied(self, task: str, route: int) -> bool:
        """Checks whether enough tasks have led to this task."""
        return len(self._satisfied.get((task, route), ())) >= self.graph.required(task)

    def is_reachable(self, task: str, route: int) -> bool:
        """Checks whether the tasks that a join still waits for may come."""
        sources = self.graph.sources.get(task, frozenset())
        all_ran = all((source, route) in self.latest for source in sources)
        return not all_ran and (self._any(ACTIVE) or bool(self._waiting))

    def has_next(self, entry: Entry, at_joins: bool) -> bool:
        """Checks whether a task follows a run; `at_joins` counts joins that can never be reached, too."""
        if entry.status not in FINAL:
            return False
        for edge in self.graph.outbound.get(entry.task, ()):
            if edge.target == "continue" or not entry.next.get(edge.id):
                continue
            if at_joins or not self.graph.is_join(edge.target):
                return True
            if self.is_satisfied(edge.target, entry.route) or self.is_reachable(edge.target, entry.route):
                return True
        return False

    def knows_error(self, error: dict[str, Any]) -> bool:
        """Checks whether an equal error is in the list."""
        return encoded(error) in self._encoded_errors

    # -- changes

    def apply(self, fact: f.AnyFact) -> None:
        """Applies one fact to the state."""
        _APPLY[type(fact)](self, fact)

    def _status(self, fact: f.StatusChanged) -> None:
        self.status = fact.status

    def _context(self, fact: f.ContextAdded) -> None:
        self.contexts.append(fact)

    def _route(self, fact: f.RouteAdded) -> None:
        self.routes.append(fact.transitions)

    def _stage(self, fact: f.Staged) -> None:
        key = (fact.task, fact.route)
        self.staged[key] = fact
        if fact.ready and not fact.completed:
            self._waiting[key] = None
        else:
            self._waiting.pop(key, None)

    def _unstage(self, fact: f.Unstaged) -> None:
        self.staged.pop((fact.task, fact.route), None)
        self._waiting.pop((fact.task, fact.route), None)

    def _add(self, fact: f.TaskAdded) -> None:
        key = (fact.task, fact.route)
        old = self.latest.get(key)
        if old is not None:
            self._counts[self.sequence[old].status] -= 1
        entry = Entry(fact.id, fact.task, fact.route, fact.context, fact.prev, fact.at, retry=fact.retry)
        entry.next = {}
        self.latest[key] = self.by_id[fact.id] = len(self.sequence)
        self.sequence.append(entry)
        self._counts[UNSET] = self._counts.get(UNSET, 0) + 1
        for edge in self.graph.outbound.get(fact.task, ()):
            self._satisfied.get((edge.target, fact.route), set()).discard(fact.task)

    def _change(self, fact: f.TaskChanged) -> None:
        entry = self.sequence[fact.entry]
        if self.latest[entry.task, entry.route] == fact.entry:
            self._counts[entry.status] -= 1
            self._counts[fact.status] = self._counts.get(fact.status, 0) + 1
        entry.status = fact.status
        entry.end = fact.at if fact.status in FINAL else None

    def _retry(self, fact: f.TaskRetried) -> None:
        self.sequence[fact.entry].tally += 1
        self.items.pop(fact.entry, None)

    def _transition(self, fact: f.TransitionTaken) -> None:
        entry = self.sequence[fact.entry]
        entry.next[fact.edge] = fact.taken
        if fact.taken:
            self._satisfied.setdefault((fact.target, entry.route), set()).add(entry.task)

    def _undo(self, fact: f.WaysUndone) -> None:
        entry = self.sequence[fact.entry]
        for edge in self.graph.outbound.get(entry.task, ()):
            entry.next[edge.id] = False
            self._satisfied.get((edge.target, entry.route), set()).discard(entry.task)

    def _end(self, fact: f.TaskEnds) -> None:
        self.sequence[fact.entry].terminal = fact.terminal
        if fact.terminal:
            self.terminal[fact.entry] = None
        else:
            self.terminal.pop(fact.entry, None)

    def _open(self, fact: f.ItemsOpened) -> None:
        count = len(fact.values)
        self.items[fact.entry] = Items(fact.values, [UNSET] * count, fact.concurrency, {UNSET: count})

    def _item(self, fact: f.ItemChanged) -> None:
        items = self.items[fact.entry]
        items.counts[items.statuses[fact.item]] -= 1
        items.counts[fact.status] = items.counts.get(fact.status, 0) + 1
        items.statuses[fact.item] = fact.status
        if fact.status == UNSET:
            items.cursor = min(items.cursor, fact.item)
        while items.cursor < len(items.statuses) and items.statuses[items.cursor] != UNSET:
            items.cursor += 1

    def _error(self, fact: f.ErrorLogged) -> None:
        self.errors.append(fact.error)
        self._encoded_errors.add(encoded(fact.error))

    def _drop_errors(self, fact: f.ErrorsDropped) -> None:
        self.errors = [error for error in self.errors if error.get("task_id") != fact.task]
        self._encoded_errors = {encoded(error) for error in self.errors}

    def _output(self, fact: f.OutputSet) -> None:
        self.output, self.rendered = fact.output, fact.rendered

    def restore(self, entry: Entry) -> None:
        """Adds a run of a task as a snapshot holds it."""
        index = len(self.sequence)
        self._add(f.TaskAdded(entry.id, entry.task, entry.route, entry.context, entry.prev, entry.start, entry.retry))
        self.sequence[index] = entry
        if entry.terminal:
            self.terminal[index] = None
        self._counts[UNSET] -= 1
        self._counts[entry.status] = self._counts.get(entry.status, 0) + 1
        for edge in self.graph.outbound.get(entry.task, ()):
            if entry.next.get(edge.id):
                self._satisfied.setdefault((edge.target, entry.route), set()).add(entry.task)


_APPLY: dict[type, Any] = {
    f.StatusChanged: State._status,
    f.ContextAdded: State._context,
    f.RouteAdded: State._route,
    f.Staged: State._stage,
    f.Unstaged: State._unstage,
    f.TaskAdded: State._add,
    f.TaskChanged: State._change,
    f.TaskRetried: State._retry,
    f.TransitionTaken: State._transition,
    f.WaysUndone: State._undo,
    f.TaskEnds: State._end,
    f.ItemsOpened: State._open,
    f.ItemChanged: State._item,
    f.ErrorLogged: State._error,
    f.ErrorsDropped: State._drop_errors,
    f.OutputSet: State._output,
}
