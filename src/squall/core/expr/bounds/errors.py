"""The errors of expressions. Their class names are Orquesta's, and part of the texts for people."""

from __future__ import annotations


class EvaluationError(Exception):
    """An expression that could not be evaluated. Its text is Orquesta's: `YaqlEvaluationException: Unable to …`."""

    def __init__(self, language: str, message: str) -> None:
        super().__init__(f"{language.capitalize()}EvaluationException: {message}")
        self.language = language
        self.message = message


class UnstorableError(EvaluationError):
    """The value of an expression, or a literal value, has no form in JSON. The text names the value and its place."""

    def __init__(self, text: str) -> None:
        Exception.__init__(self, text)
        self.language = ""
        self.message = text

    def at(self, place: str) -> UnstorableError:
        """Returns the same error for a value in `place`, such as `the variable "x"`."""
        return UnstorableError(f"{self.message} (in {place})")


class LimitExceededError(Exception):
    """An expression takes too many steps or creates too large a value."""


class VariableUndefinedError(Exception):
    """`ctx(x)` names a variable that does not exist."""

    def __init__(self, name: str) -> None:
        super().__init__(f'The variable "{name}" is undefined.')


class VariableInaccessibleError(Exception):
    """`ctx(x)` names a variable of the engine's own."""

    def __init__(self, name: str) -> None:
        super().__init__(f'The variable "{name}" is for internal use and inaccessible.')


class ExpressionEvaluationException(Exception):  # noqa: N818 - the name stands in messages, as Orquesta writes it
    """A workflow function was used where it has no meaning."""
