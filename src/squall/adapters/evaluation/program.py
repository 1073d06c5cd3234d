"""The program that evaluates expressions. It runs as a process of its own, which the kernel ends when time is over."""

from __future__ import annotations

import signal
import socket
import time
from typing import Any

from squall.adapters.evaluation.messages import Reply, Task, receive, send, to_json, unpack
from squall.core.errors import InvalidError, UnavailableError
from squall.core.expr.bounds.errors import EvaluationError, ExpressionEvaluationException, UnstorableError
from squall.core.expr.bounds.limits import Deadline
from squall.core.expr.jinja import Jinja
from squall.core.expr.language import Language
from squall.core.expr.scope import CurrentTask, Scope, Variables

GRACE = 1.0
"""The seconds between the time of an expression, which it notices between two steps, and the end of its process."""


class Program:
    """Evaluates tasks from a connection, one after the other."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._seconds = 10.0
        deadline = Deadline(time.monotonic, self._seconds)
        self._language = Language(deadline)
        self._jinja = Jinja(self._decrypt, None, deadline)

    def serve(self) -> None:
        """Serves until the server closes the connection."""
        while (message := receive(self._connection)) is not None:
            task: Task = unpack(message, self._opened)
            # The kernel ends this process, even within one call of C code that never returns.
            signal.setitimer(signal.ITIMER_REAL, task.seconds + GRACE)
            reply = self._reply(task)
            signal.setitimer(signal.ITIMER_REAL, 0)
            send(self._connection, to_json(reply))

    def _reply(self, task: Task) -> Reply:
        try:
            return Reply("value", "", self._evaluated(task))
        except UnstorableError as error:
            return Reply("error", "unstorable", [error.message])
        except EvaluationError as error:
            return Reply("error", "evaluation", [error.language, error.message])
        except UnavailableError as error:
            return Reply("error", "unavailable", [str(error)])
        except InvalidError as error:
            return Reply("error", "invalid", [str(error)])
        except (RecursionError, MemoryError) as error:
            return Reply("error", "limit", [f"{type(error).__name__}: the expression takes too much memory"])

    def _evaluated(self, task: Task) -> Any:
        self._seconds = task.seconds
        match task.kind:
            case "workflow":
                return self._language.evaluate(task.text, self._scope(*task.names))
            case "render":
                return self._jinja.render(task.text, task.names)
            case "value":
                return self._jinja.value(task.text, task.names)
            case "names":
                return sorted(self._jinja.names(task.text))
            case _:
                return self._jinja.check(task.text)

    def _scope(self, values: Any, current: tuple[Any, ...] | None, item: Any) -> Scope:
        return Scope(
            Variables(values),
            CurrentTask(*current) if current is not None else None,
            item,
            lambda task, route: self._ask("status", task, route),
            lambda task, route: self._ask("task", task, route),
            lambda key, decrypt: self._ask("key", key, decrypt),
        )

    def _decrypt(self, ciphertext: Any) -> Any:
        return self._ask("decrypt", str(ciphertext))

    def _opened(self, number: int, secret: Any) -> None:
        self._ask("opened", number, secret)

    def _ask(self, question: str, *arguments: Any) -> Any:
        """Asks the server. The time until it answers does not count."""
        remaining, _ = signal.setitimer(signal.ITIMER_REAL, 0)
        send(self._connection, to_json(Reply("question", question, list(arguments))))
        message = receive(self._connection)
        if message is None:
            raise SystemExit(0)
        signal.setitimer(signal.ITIMER_REAL, max(remaining, 0.001))
        kind, content = unpack(message, self._opened)
        match kind:
            case "value":
                return content
            case "lookup":
                raise LookupError(content)
            case "expression":
                raise ExpressionEvaluationException(content)
            case "invalid":
                raise InvalidError(content)
            case "value error":
                raise ValueError(content)
            case _:
                raise UnavailableError(content)
