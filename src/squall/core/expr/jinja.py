"""Jinja templates, rendered as StackStorm renders parameters: sandboxed, strict about names, compiled once, bounded."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from jinja2 import StrictUndefined, Template, meta
from jinja2.environment import TemplateExpression
from jinja2.exceptions import TemplateError

from squall.core.errors import InvalidError
from squall.core.expr.bounds.cheap import MOST_TEXT, is_cheap_jinja
from squall.core.expr.bounds.errors import LimitExceededError
from squall.core.expr.bounds.evaluator import Evaluator, NoEvaluator
from squall.core.expr.bounds.limits import Deadline
from squall.core.expr.json_value import NotJsonError, json_value, printable
from squall.core.expr.sandbox import Environment, names_with_budget

T = TypeVar("T")
_CACHED = 512
_FAILURES = (
    TemplateError, LimitExceededError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError,
    RecursionError, MemoryError,
)  # fmt: skip
_UNREADABLE = (TemplateError, RecursionError, MemoryError, SyntaxError)
"""The errors of templates that cannot be compiled: Python refuses what is nested too deeply."""

# Jinja writes a number such as 1e999 into its Python code as `inf`, which is not a name there.
_INFINITE = "a number in the template is too large"


class _Compiled(NamedTuple):
    """A template (None for plain text and for an invalid one), and its free names."""

    template: Template | None
    names: frozenset[str]


_PLAIN = _Compiled(None, frozenset())


class Jinja:
    """Renders templates and finds the names that they need. Caches a few hundred compiled templates.

    `decrypt_kv` is the filter of that name: it decrypts the ciphertext of a key. Templates have StackStorm's other
    filters too. `deadline` bounds the time of each rendering. If there is an `evaluator`, it renders every template
    that is not cheap (`squall.core.expr.bounds.cheap`).
    """

    def __init__(
        self,
        decrypt_kv: Callable[[Any], Any] | None = None,
        evaluator: Evaluator | None = None,
        deadline: Deadline | None = None,
    ) -> None:
        self._decrypt_kv = decrypt_kv
        self._evaluator = evaluator
        self._deadline = deadline
        self._environment = Environment(decrypt_kv)
        self._compiled: dict[str, _Compiled] = {}
        self._cheap: dict[str, bool] = {}
        self._names: dict[str, frozenset[str]] = {}
        self._expressions: dict[str, TemplateExpression | None] = {}

    def with_evaluator(self, evaluator: Evaluator) -> Jinja:
        """Returns the same templates with another evaluator. Both share what they have compiled."""
        twin = copy.copy(self)
        twin._evaluator = evaluator
        return twin

    @property
    def is_brief(self) -> bool:
        """True if this must not hold its thread: it raises `NeedsProcess` for what may take long."""
        return isinstance(self._evaluator, NoEvaluator)

    def names(self, text: str) -> frozenset[str]:
        """Returns the free names of a template; none for plain text and for an invalid template."""
        if self._evaluator is None or self._is_cheap(text):
            return self._compile(text).names
        names = self._names.get(text)
        if names is None:
            names = frozenset(self._evaluator.template("names", text, {}, self._answer))
            _keep(self._names, text, names)
        return names

    def check(self, text: str) -> None:
        """Raises `InvalidError` for an invalid template. `render` treats such a one as plain text."""
        if self._evaluator is not None and not self._is_cheap(text):
            self._evaluator.template("check", text, {}, self._answer)
            return
        try:
            self._environment.from_string(text)
        except (TemplateError, RecursionError, MemoryError) as error:
            raise InvalidError(f"{error}") from error

    def render(self, text: str, names: Mapping[str, Any]) -> str:
        """Renders a template to text. An invalid template is plain text, as in StackStorm.

        Raises `InvalidError` if the rendering fails, takes too many steps, or gives a text that is too long or not
        valid Unicode.
        """
        if self._evaluator is not None and not self._is_cheap(text):
            return str(self._evaluator.template("render", text, names, self._answer))
        template = self._compile(text).template
        if template is None:
            return text
        try:
            rendered = template.render(names_with_budget(names, self._deadline))
        except NameError:
            raise InvalidError(_INFINITE) from None
        except _FAILURES as error:
            raise InvalidError(printable(str(error))) from error
        return str(_plain(rendered, text))

    def value(self, text: str, names: Mapping[str, Any]) -> Any:
        """Renders as `render` does, but a template that is a single expression gives its value, of any JSON type.

        Raises `InvalidError` if the rendering fails, and for a value that has no form in JSON.
        """
        if self._evaluator is not None and not self._is_cheap(text):
            return self._evaluator.template("value", text, names, self._answer)
        inner = text.strip()
        is_one = inner.startswith("{{") and inner.endswith("}}") and self._compile(text).template is not None
        expression = self._expression(inner[2:-2]) if is_one else None
        if expression is None:
            return self.render(text, names)
        try:
            value = expression(names_with_budget(names, self._deadline))
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
            _keep(self._expressions, source, expression)
        return self._expressions[source]

    def _is_cheap(self, text: str) -> bool:
        """Checks whether a text may be compiled and rendered here. Jinja evaluates constants when it compiles."""
        if not _has_syntax(text):
            return True
        is_cheap = self._cheap.get(text)
        if is_cheap is None:
            try:
                is_cheap = len(text) <= MOST_TEXT and is_cheap_jinja(self._environment.parse(text))
            except _UNREADABLE:
                is_cheap = False
            _keep(self._cheap, text, is_cheap)
        return is_cheap

    def _answer(self, _question: str, arguments: list[Any]) -> Any:
        """Answers the only question that a template has: it decrypts a key's value."""
        if self._decrypt_kv is None:
            raise ValueError("decrypt_kv cannot be used here")
        return self._decrypt_kv(*arguments)

    def _compile(self, text: str) -> _Compiled:
        if not _has_syntax(text):
            return _PLAIN
        entry = self._compiled.get(text)
        if entry is None:
            try:
                names = frozenset(meta.find_undeclared_variables(self._environment.parse(text)))
                entry = _Compiled(self._environment.from_string(text), names)
            except _UNREADABLE:
                entry = _PLAIN
            _keep(self._compiled, text, entry)
        return entry


def _has_syntax(text: str) -> bool:
    return "{{" in text or "{%" in text or "{#" in text


def _keep(cache: dict[str, T], text: str, value: T) -> None:
    if len(cache) >= _CACHED:
        cache.clear()
    cache[text] = value


def _plain(value: Any, text: str) -> Any:
    try:
        return json_value(value)
    except (NotJsonError, LimitExceededError) as error:
        raise InvalidError(f"Unable to evaluate expression '{printable(text)}'. {error}") from error
