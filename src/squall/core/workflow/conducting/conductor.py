"""The conductor of one workflow: it gets events and answers with commands. (spec, state, event) → (state, commands).

It changes its state in place and returns the facts of each step; replaying the facts gives the same state. It has no
clock and no I/O, and evaluates no expression twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from squall.core.expr.bounds.errors import EvaluationError, UnstorableError
from squall.core.expr.language import Language
from squall.core.expr.scope import Scope, Variables
from squall.core.workflow.conducting import facts as f
from squall.core.workflow.conducting import status as st
from squall.core.workflow.conducting.ending import action_changed, end_refused, end_without_action, terminal_context
from squall.core.workflow.conducting.engine import Engine, Note, Outside, RunAction
from squall.core.workflow.conducting.rerun import TaskRerun, request_rerun
from squall.core.workflow.conducting.starting import start_waiting
from squall.core.workflow.conducting.state import State

MOST_TASKS = 100_000
"""The most runs of tasks that one workflow may have."""

_INLINE_STEPS = 200


class Step(msgspec.Struct, frozen=True):
    """The conductor's answer to an event: facts to store, commands to execute, notes to show.

    `more`: the conductor has more to do at once; call `Conductor.advance` again.
    """

    facts: list[f.AnyFact]
    commands: list[RunAction]
    notes: list[Note]
    more: bool


class Conductor:
    """Conducts one workflow of at most `most` runs of tasks.

    A `stepwise` conductor starts nothing by itself after `action`: the rehearsal calls `advance` when a round is over.
    """

    def __init__(
        self,
        state: State,
        language: Language | None,
        outside: Outside,
        most: int = MOST_TASKS,
        stepwise: bool = False,
    ) -> None:
        self.state = state
        self._engine = Engine(state, language, outside, most)
        self._engine.stepwise = stepwise

    def use(self, language: Language) -> None:
        """Sets the language that evaluates expressions. A language belongs to one thread at a time. A conductor that
        was created without one needs this call before its first step."""
        self._engine.language = language

    # -- events

    def start(self, inputs: Mapping[str, Any], context: Mapping[str, Any], now: int) -> Step:
        """Starts a new workflow. `context` has its variables besides the inputs: `st2`, `parent`.

        Defaults of inputs are rendered; the values in `inputs` are data.
        """
        engine = self._at(now)
        workflow = engine.graph.workflow
        values = dict(context)
        errors: list[EvaluationError] = []
        for name, default in workflow.input:
            if name in inputs:
                values[name] = inputs[name]
            else:
                self._render(name, default, values, errors)
        for name, value in workflow.vars:
            self._render(name, value, values, errors)
        engine.set_status(st.RUNNING)
        if errors:
            for error in errors:
                engine.log_exception(error)
            engine.tell(f.OutputSet(None))
            engine.fail()
            return self._step(False)
        engine.tell(f.ContextAdded(values))
        engine.tell(f.RouteAdded(()))
        for task in engine.graph.starts:
            engine.tell(f.Staged(task, 0, 0, {}, True))
        return self._advanced()

    def action(self, task_execution: str, item: int | None, status: str, result: Any, now: int) -> Step:
        """Takes the new status (final, pending, paused, running …) of an execution that was requested for a task."""
        engine = self._at(now)
        index = self.state.by_id.get(task_execution)
        if index is not None:
            action_changed(engine, index, item, status, result)
        if engine.stepwise:
            self._finish()
            return self._step(False)
        return self._advanced()

    def request(self, status: str, now: int) -> Step:
        """Pauses, resumes or cancels the workflow (`pausing`, `resuming`, `canceling`) on a user's request."""
        engine = self._at(now)
        engine.request(status)
        return self._advanced()

    def rerun(self, tasks: Sequence[TaskRerun], now: int, reset: Collection[str] = ()) -> Step:
        """Runs tasks of an ended workflow again (if `tasks` is empty: the failed ones), and the tasks that follow them.

        The tasks in `reset` (`*`: all) run all of their items again. Raises `RerunError`, also if nothing would run.
        """
        engine = self._at(now)
        request_rerun(engine, tasks, reset)
        return self._advanced()

    def refuse(self, message: str, now: int, **where: Any) -> Step:
        """Fails the workflow with an error of the engine, such as an action that no longer exists."""
        engine = self._at(now)
        engine.log(message, **where)
        engine.fail()
        return self._advanced()

    def advance(self, now: int) -> Step:
        """Starts the tasks that wait to be started."""
        self._at(now)
        return self._advanced()

    # -- answers

    @property
    def is_finished(self) -> bool:
        """True if the workflow has ended, and none of its tasks is running or waits to run."""
        remedies = any(staged.run_on_fail for staged in self.state.waiting)
        return (
            self.state.status in st.FINAL
            and not self.state.has_running_actions
            and not (self.state.status == st.FAILED and remedies)
        )

    def result(self) -> dict[str, Any]:
        """Returns the result document: `output`, and `errors` if the workflow failed."""
        document: dict[str, Any] = {"output": self.state.output}
        if self.state.status in st.ABENDED:
            document["errors"] = self.state.errors
        return document

    # -- steps

    def _at(self, now: int) -> Engine:
        engine = self._engine
        engine.now = now
        engine.facts, engine.commands, engine.notes = [], [], []
        return engine

    def _step(self, more: bool) -> Step:
        return Step(self._engine.facts, self._engine.commands, self._engine.notes, more)

    def _advanced(self) -> Step:
        engine = self._engine
        more = False
        for _ in range(_INLINE_STEPS):
            more = start_waiting(engine)
            refused, engine.refused = engine.refused, []
            for each in refused:
                end_refused(engine, each)
            ended, engine.idle = engine.idle, []
            for index in ended:
                end_without_action(engine, index)
            if not ended and not refused:
                break
        else:
            more = True
        self._finish()
        return self._step(more)

    def _finish(self) -> None:
        """Renders the output as soon as the workflow has ended."""
        engine = self._engine
        if self.state.status not in st.FINAL or self.state.rendered:
            return
        values = dict(terminal_context(engine))
        errors: list[EvaluationError] = []
        output: dict[str, Any] = {}
        for name, value in engine.graph.workflow.output:
            if self._render(name, value, values, errors):
                output[name] = values[name]
        engine.tell(f.OutputSet(output or None))
        for error in errors:
            engine.log_exception(error)
        if errors and self.state.status not in (st.TIMEOUT, st.ABANDONED, st.CANCELED):
            engine.fail()

    def _render(self, name: str, value: Any, values: dict[str, Any], errors: list[EvaluationError]) -> bool:
        engine = self._engine
        scope = Scope(
            Variables(dict(values)),
            status_of=self.state.status_of,
            task_of=engine.scope_of_nothing(),
            key_of=engine.outside.key,
        )
        try:
            values[name] = engine.evaluate(value, scope)
        except UnstorableError as error:
            errors.append(error.at(f'variable "{name}"'))
            return False
        except EvaluationError as error:
            errors.append(error)
            return False
        return True
