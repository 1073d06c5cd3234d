"""Keeps the processes that evaluate expressions, and gives each evaluation one of its own."""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

from squall.adapters.evaluation.messages import Reply, Task, from_json, pack, receive, send
from squall.core.errors import InvalidError, UnavailableError
from squall.core.expr.bounds.errors import EvaluationError, ExpressionEvaluationException, UnstorableError
from squall.core.expr.bounds.evaluator import Answer
from squall.core.expr.json_value import printable
from squall.core.expr.parts import languages
from squall.core.expr.scope import Scope

_LARGE = 8 << 20
"""A process that had a message of this size (bytes) is not used again: it would keep the memory."""

EVALUATIONS = 4
"""The most evaluations at the same time."""

_MOST_IDLE = 2
_TRIES = 2
_QUOTED = 200


class _EndedError(Exception):
    """The process ended during an evaluation. `status` is as in `subprocess.Popen.returncode`."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _Process:
    """A process, and the server's end of its connection."""

    def __init__(self, program: subprocess.Popen[bytes], connection: socket.socket) -> None:
        self.is_large = False
        self._program = program
        self._connection = connection

    def evaluate(self, task: Task, answer: Answer) -> Reply:
        """Returns the value or the error of a task. Raises `_EndedError`, and what `answer` raises."""
        failure: Exception | None = None
        message, callbacks = pack(task)
        while True:
            data = self._exchange(message)
            reply = from_json(data)
            if reply.kind != "question":
                if failure is not None and reply.name == "unavailable":
                    raise failure
                return reply
            content, failure = _answered(reply, answer, callbacks)
            message, _ = pack(content)

    def _exchange(self, message: bytes) -> bytes:
        try:
            send(self._connection, message)
            data = receive(self._connection)
        except OSError:
            data = None
        if data is None:
            self._connection.close()
            raise _EndedError(self._program.wait())
        self.is_large = self.is_large or max(len(message), len(data)) > _LARGE
        return data

    def end(self) -> None:
        """Ends the process at once."""
        self._program.kill()
        self._program.wait()
        self._connection.close()

    def interrupt(self) -> None:
        """Kills the process. The thread that waits for it sees its end."""
        self._program.kill()


def _answered(question: Reply, answer: Answer, callbacks: list[Callable[[Any], None]]) -> tuple[Any, Exception | None]:
    """Returns the answer to a question, and the error of the environment that prevented one."""
    try:
        if question.name == "opened":
            number, secret = question.content
            callbacks[number](secret)
            return ("value", None), None
        return ("value", answer(question.name, question.content)), None
    except LookupError as error:
        return ("lookup", str(error.args[0]) if error.args else ""), None
    except ExpressionEvaluationException as error:
        return ("expression", str(error)), None
    except InvalidError as error:
        return ("invalid", str(error)), None
    except ValueError as error:
        return ("value error", str(error)), None
    except Exception as error:  # the evaluation ends, and `evaluate` raises this error
        return ("unavailable", str(error)), error


class EvaluationProcesses:
    """The `Evaluator` of the server: at most `most` processes, started when they are needed.

    `seconds` is the time of one evaluation. `start` starts a process that serves its end of a socket pair. The methods
    block and may be called on any thread.
    """

    def __init__(
        self, start: Callable[[socket.socket], subprocess.Popen[bytes]], seconds: float, most: int = EVALUATIONS
    ) -> None:
        self._start = start
        self._seconds = seconds
        self._most = most
        self._idle: list[_Process] = []
        self._busy: set[_Process] = set()
        self._starting = 0
        self._is_closed = False
        self._changed = threading.Condition()

    def template(self, method: str, text: str, names: Mapping[str, Any], answer: Answer) -> Any:
        """Calls a method of `Jinja`: see `squall.core.expr.bounds.evaluator.Evaluator`."""
        try:
            reply = self._evaluated(Task(method, text, dict(names), self._seconds), answer)
        except _EndedError as error:
            raise InvalidError(self._words(error)) from None
        return reply.content if reply.kind == "value" else _raise(reply, "", text)

    def workflow(self, text: str, scope: Scope, answer: Answer) -> Any:
        """Evaluates a text of a workflow: see `squall.core.expr.bounds.evaluator.Evaluator`."""
        current = scope.current
        task = (current.name, current.route, current.status, current.result) if current is not None else None
        language = (languages(text) or [""])[0]
        try:
            reply = self._evaluated(
                Task("workflow", text, (dict(scope.variables.values), task, scope.item), self._seconds), answer
            )
        except _EndedError as error:
            raise _evaluation_error(language, text, self._words(error)) from None
        return reply.content if reply.kind == "value" else _raise(reply, language, text)

    def close(self) -> None:
        """Ends all processes. Evaluations that are running raise `UnavailableError`."""
        with self._changed:
            self._is_closed = True
            idle, self._idle = self._idle, []
            for process in self._busy:
                process.interrupt()
            self._changed.notify_all()
        for process in idle:
            process.end()

    def _evaluated(self, task: Task, answer: Answer) -> Reply:
        """Evaluates a task. If its process is ended by anything but the task's time, another process tries again."""
        tries = 1
        while True:
            try:
                with self._process() as process:
                    return process.evaluate(task, answer)
            except _EndedError as error:
                if self._is_closed:
                    raise UnavailableError("the server stops") from None
                if tries == _TRIES or error.status == -signal.SIGALRM:
                    raise
                tries += 1

    def _words(self, error: _EndedError) -> str:
        if error.status == -signal.SIGALRM:
            return f"The expression takes more than {self._seconds:g} seconds."
        return f"The process that evaluates the expression ended twice (status {error.status})."

    @contextmanager
    def _process(self) -> Iterator[_Process]:
        process = self._taken()
        is_whole = False
        try:
            yield process
            is_whole = True
        finally:
            with self._changed:
                self._busy.discard(process)
                keeps = is_whole and not process.is_large and not self._is_closed and len(self._idle) < _MOST_IDLE
                if keeps:
                    self._idle.append(process)
                self._changed.notify()
            if not keeps:
                process.end()

    def _taken(self) -> _Process:
        """Takes an idle process, starts one, or waits for one."""
        with self._changed:
            while not self._idle and len(self._busy) + self._starting >= self._most and not self._is_closed:
                self._changed.wait()
            if self._is_closed:
                raise UnavailableError("the server stops")
            if self._idle:
                process = self._idle.pop()
                self._busy.add(process)
                return process
            self._starting += 1
        try:
            process = self._started()
        finally:
            with self._changed:
                self._starting -= 1
                self._changed.notify()
        self._add(process)
        return process

    def _add(self, process: _Process) -> None:
        """Counts a process as busy. `close` may have been called while it started."""
        with self._changed:
            self._busy.add(process)
            if self._is_closed:
                process.interrupt()

    def _started(self) -> _Process:
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise UnavailableError(f"a process for expressions cannot be started: {error}") from error
        with theirs:
            try:
                return _Process(self._start(theirs), ours)
            except OSError as error:
                ours.close()
                raise UnavailableError(f"a process for expressions cannot be started: {error}") from error


def _raise(reply: Reply, language: str, text: str) -> NoReturn:
    """Raises the error in a reply."""
    fields = [str(field) for field in reply.content]
    match reply.name:
        case "evaluation":
            raise EvaluationError(fields[0], fields[1])
        case "unstorable":
            raise UnstorableError(fields[0])
        case "unavailable":
            raise UnavailableError(fields[0])
        case "limit" if language:
            raise _evaluation_error(language, text, fields[0])
        case _:
            raise InvalidError(fields[0])


def _evaluation_error(language: str, text: str, reason: str) -> EvaluationError:
    quoted = text if len(text) <= _QUOTED else text[:_QUOTED] + "…"
    return EvaluationError(
        language, printable(f"Unable to evaluate expression '{quoted}'. ExpressionLimitExceeded: {reason}")
    )
