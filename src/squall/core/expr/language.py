"""Expressions in workflows: `<% YAQL %>` and `{{ Jinja }}` in any value, as Orquesta evaluates them.

Squall evaluates an expression once. Expression syntax inside an evaluated value stays text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError
from jinja2.environment import TemplateExpression
from jinja2.exceptions import TemplateError

from squall.core.errors import UnavailableError
from squall.core.expr.bounds.cheap import MOST_PARTS, MOST_TEXT, is_cheap_jinja
from squall.core.expr.bounds.errors import EvaluationError, LimitExceededError, UnstorableError
from squall.core.expr.bounds.evaluator import Evaluator
from squall.core.expr.bounds.limits import Deadline, check_length, check_value
from squall.core.expr.filters.table import workflow_functions
from squall.core.expr.json_value import NotJsonError, json_key, json_value, printable
from squall.core.expr.parts import (
    JINJA,
    YAQL,
    Part,
    expressions,
    has_block,
    inner,
    jinja_parts,
    languages,
    yaql_parts,
)
from squall.core.expr.sandbox import Environment, names_with_budget
from squall.core.expr.scope import Scope, Variables
from squall.core.expr.unknown_functions import unknown_in_jinja, unknown_in_yaql, wording

if TYPE_CHECKING:
    from squall.core.expr.yaql import Yaql

_VARIABLES = tuple(
    re.compile(text)
    for text in (
        r"\bctx\(\)\.([a-zA-Z0-9_-]+)\b(?!\()",
        r"\bctx\(([a-zA-Z0-9_-]+)\)",
        r"\bctx\('([a-zA-Z0-9_-]+)'\)",
        r'\bctx\("([a-zA-Z0-9_-]+)"\)',
    )
)
_CACHED = 2048
_TOO_DEEP = (RecursionError, MemoryError, SyntaxError)
"""What Python raises when it parses a template that nests too deeply, or compiles its code."""


class Language:
    """Evaluates, checks and searches values with expressions in them. `deadline` bounds the time of each expression.

    If there is an `evaluator`, it evaluates every text whose expressions are not cheap (`bounds.cheap`).
    One thread at a time may use a language. Creating the first one takes 60 ms, a `twin` of it 1 ms.
    """

    def __init__(
        self,
        deadline: Deadline | None = None,
        model: Language | None = None,
        evaluator: Evaluator | None = None,
    ) -> None:
        # yaql takes long to load, and a client may never need it: so this import is not at the top.
        from squall.core.expr.yaql import Yaql

        self._deadline = deadline
        self._evaluator = evaluator
        self._yaql: Yaql = Yaql(deadline) if model is None else model._yaql.twin()
        self._environment = Environment()
        self._environment.globals |= workflow_functions()
        self._environment.filters |= workflow_functions()
        self._cheapness = _Cheapness(self._yaql, self._environment)
        # Without its optimizer, Jinja evaluates no constants when it compiles.
        self._syntax = self._environment.overlay(optimized=False)
        self._templates: dict[str, Template] = {}
        self._expressions: dict[str, TemplateExpression] = {}
        self._parts: dict[str, tuple[str, list[Part]]] = {}

    def twin(self) -> Language:
        """Returns another language, for another thread."""
        return Language(self._deadline, self, self._evaluator)

    def evaluate(self, value: Any, scope: Scope) -> Any:
        """Evaluates all expressions in a value, also those in the keys of objects. Returns plain JSON.

        Raises `EvaluationError`; for a value that has no form in JSON its subclass `UnstorableError`. If data from
        outside is unavailable, raises that `UnavailableError` unchanged: a later evaluation may succeed.
        """
        if isinstance(value, str) and ("{" in value or "<%" in value):
            return self._text(value, scope)
        if isinstance(value, dict):
            fields: dict[str, Any] = {}
            for key, item in value.items():
                name = self._key(key, scope)
                if name in fields:
                    raise UnstorableError(f'The key "{printable(name)}" occurs twice in the same object.')
                fields[name] = self.evaluate(item, scope)
            return fields
        if isinstance(value, list):
            return [self.evaluate(item, scope) for item in value]
        return _plain(value)

    def _key(self, key: Any, scope: Scope) -> str:
        value = self.evaluate(key, scope) if isinstance(key, str) else key
        try:
            return json_key(value)
        except NotJsonError as error:
            raise UnstorableError(f"The object cannot have the key {key!r}: {error}") from error

    def _text(self, text: str, scope: Scope) -> Any:
        if self._evaluator is not None and not self._cheapness.of(text):
            return self._evaluator.workflow(text, scope, scope.answer)
        pieces = self._parts.get(text)
        if pieces is None:
            pieces = self._split(text)
            if len(self._parts) >= _CACHED:
                self._parts.clear()
            self._parts[text] = pieces
        language, parts = pieces
        if language == YAQL:
            return self._joined(YAQL, parts, lambda source: self._yaql.evaluate(source, scope))
        if language == JINJA:
            names = names_with_budget(_jinja_names(scope), self._deadline)
            return self._joined(JINJA, parts, lambda source: self._jinja_value(source, names))
        if language == "block":
            return _plain(self._rendered(text, scope))
        return text

    def _split(self, text: str) -> tuple[str, list[Part]]:
        names = languages(text)
        if not names:
            return "", [text]
        if names[0] == JINJA and has_block(text):
            return "block", []
        if names[0] == JINJA:
            return JINJA, list(jinja_parts(text, self._is_valid_jinja))
        return YAQL, list(yaql_parts(text))

    def _joined(self, language: str, parts: list[Part], value_of: Callable[[str], Any]) -> Any:
        """Evaluates the parts of a text. A single part keeps the type of its value; several are joined as text."""
        texts: list[str] = []
        missing: list[str] = []
        for part in parts:
            if isinstance(part, str):
                texts.append(part)
                continue
            expression, source = part
            with _OrquestaErrors(language, expression):
                value = value_of(source)
            if isinstance(value, StrictUndefined):
                missing.append(source)
            elif len(parts) == 1:
                return _plain(value, language, expression)
            else:
                with _OrquestaErrors(language, expression):
                    check_value(value)
                    texts.append(str(value))
        if missing:
            raise EvaluationError(JINJA, f"There are unresolved variables: {', '.join(missing)}")
        with _OrquestaErrors(language, "".join(part if isinstance(part, str) else part[0] for part in parts)):
            check_length(sum(map(len, texts)))
        return _plain("".join(texts))

    def _jinja_value(self, source: str, names: dict[str, Any]) -> Any:
        expression = self._expressions.get(source)
        if expression is None:
            compiled = self._environment.compile_expression(source, undefined_to_none=False)
            if len(self._expressions) >= _CACHED:
                self._expressions.clear()
            expression = self._expressions[source] = compiled
        value: Any = expression(names)
        if hasattr(value, "__next__"):
            value = list(value)
        return value

    def _rendered(self, text: str, scope: Scope) -> str:
        with _OrquestaErrors(JINJA, text):
            template = self._templates.get(text)
            if template is None:
                if len(self._templates) >= _CACHED:
                    self._templates.clear()
                template = self._templates[text] = self._environment.from_string(text)
            return template.render(names_with_budget(_jinja_names(scope), self._deadline))

    # -- checks without evaluation

    def complaints(self, value: Any) -> list[dict[str, Any]]:
        """Returns the errors of the expressions in a value: `{type, expression, message}` each, in Orquesta's words."""
        if isinstance(value, dict):
            return [complaint for pair in value.items() for each in pair for complaint in self.complaints(each)]
        if isinstance(value, list):
            return [complaint for item in value for complaint in self.complaints(item)]
        if not isinstance(value, str):
            return []
        names = languages(value)
        if len(names) > 1:
            message = "Expression with multiple types is not supported."
            return [{"type": None, "expression": value, "message": message}]
        return list(self._text_complaints(value, names[0])) if names else []

    def _text_complaints(self, text: str, language: str) -> Iterator[dict[str, Any]]:
        if language == YAQL:
            for expression in expressions(YAQL, text):
                message = self._yaql.complaint(inner(expression))
                if message is not None:
                    yield {"type": YAQL, "expression": expression, "message": message}
            return
        try:
            self._environment.parse(text)
        except TemplateError as error:
            yield {"type": JINJA, "expression": text, "message": str(error)}
            if text.startswith("{{") and text.endswith("}}"):
                return
        except _TOO_DEEP:
            yield {"type": JINJA, "expression": text, "message": "The expression nests too deeply."}
            return
        # The end of an expression is found by its validity, so most are checked already.
        messages: dict[str, str | None] = {}

        def is_valid(source: str) -> bool:
            if source not in messages:
                messages[source] = self._jinja_complaint(source)
            return messages[source] is None

        for part in jinja_parts(text, is_valid):
            if not isinstance(part, str):
                message = None if is_valid(part[1]) else messages[part[1]]
                if message is not None:
                    yield {"type": JINJA, "expression": part[0], "message": message}

    def _is_valid_jinja(self, source: str) -> bool:
        return self._jinja_complaint(source) is None

    def _jinja_complaint(self, source: str) -> str | None:
        try:
            self._syntax.compile_expression(source)
        except TemplateSyntaxError as error:
            return str(error)
        except TemplateError:
            return None
        except _TOO_DEEP:
            return "The expression nests too deeply."
        return None

    def variables(self, value: Any) -> list[tuple[str, str, str]]:
        """Returns the variables in a value's expressions: (language, text, variable), ordered by variable."""
        return sorted(set(_references(value)), key=lambda reference: reference[2])


def _references(value: Any) -> Iterator[tuple[str, str, str]]:
    if isinstance(value, dict):
        for pair in value.items():
            for each in pair:
                yield from _references(each)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, str):
        for language in (JINJA, YAQL):
            for expression in expressions(language, value):
                for variable in _VARIABLES:
                    yield from ((language, value, name) for name in variable.findall(expression))


class _Cheapness:
    """Remembers which texts have only cheap expressions."""

    def __init__(self, yaql: Yaql, environment: Environment) -> None:
        self._yaql = yaql
        self._environment = environment
        self._texts: dict[str, bool] = {}

    def of(self, text: str) -> bool:
        """Checks whether all expressions in a text are cheap."""
        is_cheap = self._texts.get(text)
        if is_cheap is None:
            if len(self._texts) >= _CACHED:
                self._texts.clear()
            is_cheap = self._texts[text] = len(text) <= MOST_TEXT and self._decided(text)
        return is_cheap

    def _decided(self, text: str) -> bool:
        names = languages(text)
        if YAQL in names[:1]:
            sources = [part[1] for part in yaql_parts(text) if not isinstance(part, str)]
            return len(sources) <= MOST_PARTS and all(map(self._yaql.is_cheap, sources))
        try:
            # The text is only parsed: Jinja evaluates constants when it compiles.
            return not names or is_cheap_jinja(self._environment.parse(text))
        except (TemplateError, *_TOO_DEEP):
            return False


def unknown_functions(language: Language, text: str) -> list[str]:
    """Returns a sentence for each function and filter that the expressions in a text use and that does not exist.

    Skips expressions that cannot be parsed: `complaints` reports those.
    """
    names = languages(text)
    sentences: list[str] = []
    if YAQL in names:
        existing = language._yaql.functions()
        for source in map(inner, expressions(YAQL, text)):
            if language._yaql.complaint(source) is None:
                unknown = unknown_in_yaql(language._yaql.parse(source).expression, existing)
                sentences += [wording(name, existing) for name in unknown]
    if JINJA in names:
        try:
            template = language._environment.parse(text)
        except (TemplateError, *_TOO_DEEP):
            return sentences
        functions = {*language._environment.globals, *_jinja_names(Scope(Variables({})))}
        filters = language._environment.filters
        try:
            unknown = unknown_in_jinja(template, functions, filters)
        except RecursionError:
            return sentences
        sentences += [wording(name, {*functions, *filters}) for name in unknown]
    return sentences


def _plain(value: Any, language: str = "", expression: str = "") -> Any:
    """Returns the value as JSON. Raises `UnstorableError` that names the `expression`, or else the value."""
    try:
        with _OrquestaErrors(language, expression):
            return json_value(value)
    except EvaluationError as error:
        if not isinstance(error.__cause__, NotJsonError):
            raise
        message = str(error) if expression else f"The value cannot be stored: {error.__cause__}"
        raise UnstorableError(message) from error.__cause__


class _OrquestaErrors:
    """Turns exceptions inside of it into Orquesta's: the expression, the exception's class, its text."""

    def __init__(self, language: str, expression: str) -> None:
        self._language = language
        self._expression = expression

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if error is None or kind is None or not isinstance(error, Exception):
            return
        if isinstance(error, EvaluationError | UnavailableError):
            return
        if isinstance(error, KeyError) and self._language == YAQL:
            key = str(error.args[0] if error.args else error).strip("'")
            message = f"Unable to resolve key '{key}' in expression '{self._expression}' from context."
        else:
            text = str(error).strip("'") if _is_quoted(error) else str(error)
            if self._language == JINJA:
                text = str(error)
            name = kind.__name__ if not isinstance(error, LimitExceededError) else "ExpressionLimitExceeded"
            message = f"Unable to evaluate expression '{self._expression}'. {name}: {text}"
        raise EvaluationError(self._language, printable(message)) from error


def _is_quoted(error: BaseException) -> bool:
    """Checks whether Orquesta removes the quotes of an error's text: errors of yaql itself, of values and of types."""
    return isinstance(error, ValueError | TypeError) or type(error).__module__.startswith("yaql.")


def _jinja_names(scope: Scope) -> dict[str, Any]:
    return {
        "ctx": scope.ctx,
        "item": scope.get_item,
        "result": scope.result,
        "succeeded": scope.succeeded,
        "failed": scope.failed,
        "completed": scope.completed,
        "task_status": scope.task_status,
        "task": scope.task,
        "st2kv": scope.st2kv,
    }
