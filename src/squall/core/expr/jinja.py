"""Jinja templates as StackStorm renders parameters: sandboxed, strict about names, compiled once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, meta
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from squall.core.errors import InvalidError

_CACHED = 512
_EXPRESSION = re.compile(r"\s*\{\{((?:(?!\}\}|\{\{).)*)\}\}\s*", re.DOTALL)
_FAILURES = (
    TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError, MemoryError
)  # fmt: skip


class Jinja:
    """Renders templates and tells which names they need. Keeps the last few hundred compiled."""

    def __init__(self) -> None:
        self._environment = ImmutableSandboxedEnvironment(
            undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
        )
        self._compiled: dict[str, tuple[Template | None, frozenset[str]]] = {}

    def names(self, text: str) -> frozenset[str]:
        """The free names of a template; none for plain text, and for what is no valid template."""
        return self._compile(text)[1]

    def render(self, text: str, names: Mapping[str, Any]) -> str:
        """The rendered text. What is no valid template is plain text, as in StackStorm.

        Raises `InvalidError` when rendering fails.
        """
        template = self._compile(text)[0]
        if template is None:
            return text
        try:
            return template.render(names)
        except _FAILURES as error:
            raise InvalidError(f"{error}") from error

    def value(self, text: str, names: Mapping[str, Any]) -> Any:
        """As `render`, but what is one expression and nothing else gives its value, of whatever type.

        Raises `InvalidError` when rendering fails.
        """
        match = _EXPRESSION.fullmatch(text)
        if match is None or self._compile(text)[0] is None:
            return self.render(text, names)
        try:
            found = self._environment.compile_expression(match[1], undefined_to_none=False)(**names)
        except TemplateSyntaxError:
            return self.render(text, names)
        except _FAILURES as error:
            raise InvalidError(f"{error}") from error
        return self.render(text, names) if isinstance(found, StrictUndefined) else found

    def _compile(self, text: str) -> tuple[Template | None, frozenset[str]]:
        if "{{" not in text and "{%" not in text and "{#" not in text:
            return None, frozenset()
        found = self._compiled.get(text)
        if found is None:
            try:
                found = (
                    self._environment.from_string(text),
                    frozenset(meta.find_undeclared_variables(self._environment.parse(text))),
                )
            except TemplateSyntaxError:
                found = (None, frozenset())
            if len(self._compiled) >= _CACHED:
                self._compiled.clear()
            self._compiled[text] = found
        return found
