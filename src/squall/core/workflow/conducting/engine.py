"""What conducting a workflow needs at every step: its state, the facts told so far, scopes for expressions, errors."""

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


class Outside(Protocol):
    """What expressions may ask of the world. Each answer comes at once."""

    def new_id(self) -> str:
        """An id for a task execution."""
        ...

    def item_results(self, task_execution: str, count: int) -> list[Any]:
        """The results of the items of a task, in their order; None for one that never ran."""
        ...

    def task_document(self, entry: Entry, items: int | None) -> dict[str, Any]:
        """What `task()` tells of a run; `items` is how many items it has."""
        ...

    def key(self, name: str, decrypt: bool) -> Any:
        """A key's value. Raises `LookupError`."""
        ...


class RunAction(msgspec.Struct, frozen=True):
    """A command: request an execution. `delay` is in ms; `task_execution` and `item` name who asked."""

    task_execution: str
    task: str
    route: int
    item: int | None
    action: str
    input: dict[str, Any]
    delay: int = 0


class Note(msgspec.Struct, frozen=True):
    """Something to show to who watches: what happened (`event`), to which task, and details."""

    event: str
    task: str | None = None
    route: int = 0
    details: dict[str, Any] = {}


class Refused(msgspec.Struct, frozen=True):
    """What cannot be started: a run (its index), or one item of it, and why. The same would come of another try."""

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
        """Whether tasks without an action are given as commands too (with no action), for a rehearsal."""
        self.idle: list[int] = []
        """Runs that have been started and have nothing to do: no action, or no items."""
        self.refused: list[Refused] = []

    def tell(self, fact: f.AnyFact) -> None:
        """Changes the state, and keeps the fact for the store."""
        self.facts.append(fact)
        self.state.apply(fact)

    def note(self, event: str, task: str | None = None, route: int = 0, **details: Any) -> None:
        """Keeps something to be shown."""
        self.notes.append(Note(event, task, route, details))

    # -- errors

    def log(self, message: str, **where: Any) -> None:
        """Puts an error into the list, once. `where` may have task_id, route, task_transition_id, result."""
        error = {"type": "error", "message": printable(message)} | {
            key: value for key, value in where.items() if value is not None
        }
        if not self.state.knows_error(error):
            self.tell(f.ErrorLogged(error))

    def log_exception(self, error: Exception, **where: Any) -> None:
        """Puts an exception into the list, in Orquesta's form: its class, then its text."""
        told = str(error) if isinstance(error, EvaluationError) else f"{type(error).__name__}: {error}"
        self.log(told, **where)

    def fail(self) -> None:
        """Fails the workflow."""
        self.request(st.FAILED)

    # -- statuses

    def request(self, asked: str) -> None:
        """Asks for a status of the workflow; tasks with items are told first."""
        if asked in (st.PAUSING, st.PAUSED, st.CANCELING, st.CANCELED):
            for index, items in self.state.items.items():
                entry = self.state.sequence[index]
                self.change(index, st.after_stop(entry.status, asked, items.others(None, starting=False)))
        self.set_status(st.after_request(self.state.status, asked, self.state.tasks))

    def set_status(self, status: str) -> None:
        """The workflow's status, if it is another one."""
        if status != self.state.status:
            self.tell(f.StatusChanged(status))
            self.note("workflow", status=status)

    def change(self, index: int, status: str) -> None:
        """A run's status, if it is another one."""
        if self.state.sequence[index].status != status:
            self.tell(f.TaskChanged(index, status, self.now))

    def follow(self, index: int) -> None:
        """Takes the workflow's status along after a run's status; a workflow that ends leaves no join half reached."""
        entry = self.state.sequence[index]
        remediated = entry.status in st.ABENDED and self.state.has_next(entry, at_joins=True)
        tasks = self.state.tasks
        if not tasks.waiting and self.state.has_next(entry, at_joins=False):
            tasks = tasks._replace(waiting=True)
        status = st.after_task(self.state.status, entry.status, remediated, tasks)
        if status == self.state.status:
            return
        if status in (st.PAUSING, st.CANCELING):
            # A task with items that wait for others stays active, and would be waited for without end.
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
        """The scope of expressions over a context."""
        return Scope(
            self.contexts.variables(context),
            current,
            status_of=self.state.status_of,
            task_of=self._task_of(current.route if current else 0),
            key_of=self.outside.key,
        )

    def scope_of_nothing(self) -> Callable[[str | None, int | None], Any]:
        """What `task()` does where there is no current task."""
        return self._task_of(0)

    def current(self, index: int, result: Any = None) -> CurrentTask:
        """A run as expressions see it."""
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
        """A value with its expressions evaluated. Raises `EvaluationError`."""
        if self.language is None:
            raise RuntimeError("the conductor has not been given a language")
        return self.language.evaluate(value, scope)
