"""Jinja templates, rendered as StackStorm renders parameters: sandboxed, strict about names, compiled once, bounded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import StrictUndefined, Template, meta
from jinja2.environment import TemplateExpression
from jinja2.exceptions import TemplateError

from squall.core.errors import InvalidError
from squall.core.expr.bounds.errors import LimitExceededError
from squall.core.expr.json_value import NotJsonError, json_value, printable
from squall.core.expr.sandbox import Environment, names_with_budget

_CACHED = 512
_FAILURES = (
    TemplateError, LimitExceededError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError,
    RecursionError, MemoryError,
)  # fmt: skip
_UNREADABLE = (TemplateError, RecursionError, MemoryError, SyntaxError)
"""The errors of templates that cannot be compiled: Python refuses what is nested too deeply."""

# Jinja writes a number such as 1e999 into its Python code as `inf`, which is not a name there.
_INFINITE = "a number in the template is too large"


class Jinja:
    """Renders templates and finds the names that they need. Caches a few hundred compiled templates.

    `decrypt_kv` is the filter of that name: it decrypts the ciphertext of a key. Templates have StackStorm's other
    filters too.
    """

    def __init__(self, decrypt_kv: Callable[[Any], Any] | None = None) -> None:
        self._environment = Environment(decrypt_kv)
        self._compiled: dict[str, tuple[Template | None, frozenset[str]]] = {}
        self._expressions: dict[str, TemplateExpression | None] = {}

    def names(self, text: str) -> frozenset[str]:
        """Returns the free names of a template; none for plain text and for an invalid template."""
        return self._compile(text)[1]

    def check(self, text: str) -> None:
        """Raises `InvalidError` for an invalid template. `render` treats such a one as plain text."""
        try:
            self._environment.from_string(text)
        except (TemplateError, RecursionError, MemoryError) as error:
            raise InvalidError(f"{error}") from error

    def render(self, text: str, names: Mapping[str, Any]) -> str:
        """Renders a template to text. An invalid template is plain text, as in StackStorm.

        Raises `InvalidError` if the rendering fails, takes too many steps, or gives a text that is too long or not
        valid Unicode.
        """
        template = self._compile(text)[0]
        if template is None:
            return text
        try:
            rendered = template.render(names_with_budget(names))
        except NameError:
            raise InvalidError(_INFINITE) from None
        except _FAILURES as error:
            raise InvalidError(printable(str(error))) from error
        return str(_plain(rendered, text))

    def value(self, text: str, names: Mapping[str, Any]) -> Any:
        """Renders as `render` does, but a template that is a single expression gives its value, of any JSON type.

        Raises `InvalidError` if the rendering fails, and for a value that has no form in JSON.
        """
        inner = text.strip()
        is_one = inner.startswith("{{") and inner.endswith("}}") and self._compile(text)[0] is not None
        expression = self._expression(inner[2:-2]) if is_one else None
        if expression is None:
            return self.render(text, names)
        try:
            value = expression(names_with_budget(names))
        except NameError:
            raise InvalidError(_INFINITE) from None
        except _FAILURES as error:
            raise InvalidError(printable(str(error))) from error
        return self.render(text, names) if isinstance(value, StrictUndefined) else _plain(value, text)

    def _expression(self, source: str) -> TemplateExpression | None:
        if source not in self._expressions:
            try:
                expression = self._environment.compile_expression(source, undefined_to_none=False)
            except _UNREADABLE:
                expression = None
            if len(self._expressions) >= _CACHED:
                self._expressions.clear()
            self._expressions[source] = expression
        return self._expressions[source]

    def _compile(self, text: str) -> tuple[Template | None, frozenset[str]]:
        if "{{" not in text and "{%" not in text and "{#" not in text:
            return None, frozenset()
        entry = self._compiled.get(text)
        if entry is None:
            try:
                entry = (
                    self._environment.from_string(text),
                    frozenset(meta.find_undeclared_variables(self._environment.parse(text))),
                )
            except _UNREADABLE:
                entry = (None, frozenset())
            if len(self._compiled) >= _CACHED:
                self._compiled.clear()
            self._compiled[text] = entry
        return entry


def _plain(value: Any, text: str) -> Any:
    try:
        return json_value(value)
    except (NotJsonError, LimitExceededError) as error:
        raise InvalidError(f"Unable to evaluate expression '{printable(text)}'. {error}") from error
