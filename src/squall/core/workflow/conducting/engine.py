"""The engine of every step of a workflow: its state, the facts so far, scopes for expressions, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from squall.core.expr.bounds.errors import EvaluationError, ExpressionEvaluationException
from squall.core.expr.json_value import printable
from squall.core.expr.language import Language
from squall.core.expr.scope import CurrentTask, Scope
from squall.core.workflow.conducting import facts as f
from squall.core.workflow.conducting import status as st
from squall.core.workflow.conducting.context import Contexts
from squall.core.workflow.conducting.state import Entry, State

ENDED_BADLY = "Execution failed. See result for details."

ITEM_REFUSED = "item_refused"
"""The event of a note about an item that failed before its execution was requested."""


class Outside(Protocol):
    """The data outside of the workflow that expressions may read. Each method returns at once."""

    def new_id(self) -> str:
        """Returns an id for a new task execution."""
        ...

    def item_results(self, task_execution: str, count: int) -> list[Any]:
        """Returns the results of the items of a task, in their order; None for an item that never ran."""
        ...

    def task_document(self, entry: Entry, items: int | None) -> dict[str, Any]:
        """Returns the document of a run for `task()`; `items` is the number of its items."""
        ...

    def key(self, name: str, decrypt: bool) -> Any:
        """Returns the value of a datastore key. Raises `LookupError`."""
        ...


class RunAction(msgspec.Struct, frozen=True):
    """A command: request an execution for the item `item` of `task_execution`, after `delay` ms."""

    task_execution: str
    task: str
    route: int
    item: int | None
    action: str
    input: dict[str, Any]
    delay: int = 0


class Note(msgspec.Struct, frozen=True):
    """A note for people who watch the workflow: the `event`, its task, and details."""

    event: str
    task: str | None = None
    route: int = 0
    details: dict[str, Any] = {}


class Refused(msgspec.Struct, frozen=True):
    """A run (its index), or one item of it, that cannot be started, and why (`message`). A retry would fail too."""

    index: int
    item: int | None
    message: str


class Engine:
    """A workflow while it takes steps. `now` (µs since 1970) is the time of the step; `most` bounds task runs."""

    def __init__(self, state: State, language: Language | None, outside: Outside, most: int = 100_000) -> None:
        self.state = state
        self.graph = state.graph
        self.language = language
        self.outside = outside
        self.contexts = Contexts(state)
        self.most = most
        self.now = 0
        self.facts: list[f.AnyFact] = []
        self.commands: list[RunAction] = []
        self.notes: list[Note] = []
        self.stepwise = False
        """If true, tasks without an action become commands too (with no action), for a rehearsal."""
        self.idle: list[int] = []
        """Runs that have started without an action, or without items."""
        self.refused: list[Refused] = []

    def tell(self, fact: f.AnyFact) -> None:
        """Applies the fact to the state, and adds it to the facts to store."""
        self.facts.append(fact)
        self.state.apply(fact)

    def note(self, event: str, task: str | None = None, route: int = 0, **details: Any) -> None:
        """Adds a note for people who watch the workflow."""
        self.notes.append(Note(event, task, route, details))

    # -- errors

    def log(self, message: str, **where: Any) -> None:
        """Adds an error to the list, once. `where` may have task_id, route, task_transition_id, result."""
        error = {"type": "error", "message": printable(message)} | {
            key: value for key, value in where.items() if value is not None
        }
        if not self.state.knows_error(error):
            self.tell(f.ErrorLogged(error))

    def log_exception(self, error: Exception, **where: Any) -> None:
        """Adds an exception to the list of errors, in Orquesta's form: its class, then its text."""
        message = str(error) if isinstance(error, EvaluationError) else f"{type(error).__name__}: {error}"
        self.log(message, **where)

    def fail(self) -> None:
        """Fails the workflow."""
        self.request(st.FAILED)

    # -- statuses

    def request(self, requested: str) -> None:
        """Requests a status of the workflow. Tasks with items pause or stop first."""
        if requested in (st.PAUSING, st.PAUSED, st.CANCELING, st.CANCELED):
            for index, items in self.state.items.items():
                entry = self.state.sequence[index]
                self.change(index, st.after_stop(entry.status, requested, items.others(None, starting=False)))
        self.set_status(st.after_request(self.state.status, requested, self.state.tasks))

    def set_status(self, status: str) -> None:
        """Sets the workflow's status, if it is a new one."""
        if status != self.state.status:
            self.tell(f.StatusChanged(status))
            self.note("workflow", status=status)

    def change(self, index: int, status: str) -> None:
        """Sets a run's status, if it is a new one."""
        if self.state.sequence[index].status != status:
            self.tell(f.TaskChanged(index, status, self.now))

    def follow(self, index: int) -> None:
        """Updates the workflow's status after a run's. A workflow that would end with an unreachable join fails."""
        entry = self.state.sequence[index]
        remediated = entry.status in st.ABENDED and self.state.has_next(entry, at_joins=True)
        tasks = self.state.tasks
        if not tasks.waiting and self.state.has_next(entry, at_joins=False):
            tasks = tasks._replace(waiting=True)
        status = st.after_task(self.state.status, entry.status, remediated, tasks)
        if status == self.state.status:
            return
        if status in (st.PAUSING, st.CANCELING):
            # A task whose items wait for others stays active: without this request the workflow would wait for ever.
            self.request(status)
            return
        stuck = self._stuck_joins() if status in st.FINAL and status != st.CANCELED else []
        self.set_status(st.FAILED if stuck else status)
        for staged in stuck:
            self.log(
                f'UnreachableJoinError: The join task|route "{staged.task}|{staged.route}" is partially satisfied but'
                " unreachable.",
                task_id=staged.task,
                route=staged.route,
            )

    def _stuck_joins(self) -> list[f.Staged]:
        return [
            staged
            for staged in self.state.staged.values()
            if not staged.ready
            and self.graph.is_join(staged.task)
            and not self.state.is_satisfied(staged.task, staged.route)
            and not self.state.is_reachable(staged.task, staged.route)
        ]

    # -- expressions

    def scope(self, context: int, current: CurrentTask | None = None) -> Scope:
        """Returns the scope of expressions over a context."""
        return Scope(
            self.contexts.variables(context),
            current,
            status_of=self.state.status_of,
            task_of=self._task_of(current.route if current else 0),
            key_of=self.outside.key,
        )

    def scope_of_nothing(self) -> Callable[[str | None, int | None], Any]:
        """Returns the `task()` function for expressions without a current task."""
        return self._task_of(0)

    def current(self, index: int, result: Any = None) -> CurrentTask:
        """Returns a run as expressions see it."""
        entry = self.state.sequence[index]
        return CurrentTask(entry.task, entry.route, entry.status, result)

    def _task_of(self, own: int) -> Callable[[str | None, int | None], Any]:
        def task_of(name: str | None, route: int | None) -> Any:
            entry = self.state.latest_on(name or "", own if route is None else route)
            if entry is None:
                raise ExpressionEvaluationException(f'Unable to find task execution for "{name}".')
            items = self.state.items.get(self.state.by_id[entry.id])
            return self.outside.task_document(entry, len(items.values) if items else None)

        return task_of

    def evaluate(self, value: Any, scope: Scope) -> Any:
        """Evaluates the expressions in a value. Raises `EvaluationError`."""
        if self.language is None:
            raise RuntimeError("the conductor has no language: call `use` before its first step")
        return self.language.evaluate(value, scope)
