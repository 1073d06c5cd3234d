"""The contract of a process that evaluates expressions: what it is asked, and how it asks back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

Answer = Callable[[str, list[Any]], Any]
"""A function that answers a question of an expression, by the question's name and arguments: for instance the value of
a key. It raises `LookupError` for a key that does not exist."""


class Evaluator(Protocol):
    """Evaluates expressions where they can be stopped. All methods block: call them on a thread."""

    def template(self, method: str, text: str, names: Mapping[str, Any], answer: Answer) -> Any:
        """Calls `method` (`render`, `value`, `names` or `check`) of a `Jinja` with a template and its names.

        Returns its result. Raises `InvalidError`, also if the template takes too long or too much memory, and
        `UnavailableError` if no process can be had.
        """
        ...

    def workflow(self, text: str, scope: Any, answer: Answer) -> Any:
        """Evaluates a text of a workflow within a `Scope`. Returns plain JSON.

        Raises `EvaluationError`, also if the expression takes too long or too much memory, and `UnavailableError` if no
        process can be had.
        """
        ...


class NeedsProcess(Exception):  # noqa: N818 - it is no error of anybody's, but a request to call again on a thread
    """An expression must not be evaluated in this process, and there is no `Evaluator` here."""


class NoEvaluator:
    """The `Evaluator` of the event loop: raises `NeedsProcess`, so that the caller starts anew on a thread."""

    def template(self, method: str, text: str, names: Mapping[str, Any], answer: Answer) -> Any:
        """Raises `NeedsProcess`."""
        raise NeedsProcess(text)

    def workflow(self, text: str, scope: Any, answer: Answer) -> Any:
        """Raises `NeedsProcess`."""
        raise NeedsProcess(text)
