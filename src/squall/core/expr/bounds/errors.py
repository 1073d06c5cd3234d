"""What goes wrong in expressions. The names of the classes are part of the texts people read: they are Orquesta's."""

from __future__ import annotations


class EvaluationError(Exception):
    """An expression that could not be evaluated. Its text is Orquesta's: `YaqlEvaluationException: Unable to …`."""

    def __init__(self, language: str, message: str) -> None:
        super().__init__(f"{language.capitalize()}EvaluationException: {message}")
        self.language = language
        self.message = message


class UnstorableError(EvaluationError):
    """An expression, or a value that is written, gave what has no form in JSON. Its text names it, and its place."""

    def __init__(self, text: str) -> None:
        Exception.__init__(self, text)
        self.language = ""
        self.message = text

    def at(self, place: str) -> UnstorableError:
        """The same error for a value that is kept in `place`, such as `the variable "x"`."""
        return UnstorableError(f"{self.message} (in {place})")


class LimitExceededError(Exception):
    """An expression takes too many steps or makes too large a value."""


class VariableUndefinedError(Exception):
    """`ctx(x)` of a variable that is not there."""

    def __init__(self, name: str) -> None:
        super().__init__(f'The variable "{name}" is undefined.')


class VariableInaccessibleError(Exception):
    """`ctx(x)` of a variable that is the engine's own."""

    def __init__(self, name: str) -> None:
        super().__init__(f'The variable "{name}" is for internal use and inaccessible.')


class ExpressionEvaluationException(Exception):  # noqa: N818 - the name stands in messages, as Orquesta writes it
    """A workflow function was used where it has no meaning."""
