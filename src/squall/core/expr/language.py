"""The door to expressions in workflows: `<% YAQL %>` and `{{ Jinja }}` in any value, as Orquesta evaluates them.

What is rendered once is data and is never rendered again: an expression inside of a result stays text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError
from jinja2.environment import TemplateExpression
from jinja2.exceptions import TemplateError

from squall.core.errors import UnavailableError
from squall.core.expr.bounds.errors import EvaluationError, LimitExceededError, UnstorableError
from squall.core.expr.bounds.limits import Deadline, check_length, check_value
from squall.core.expr.filters.table import workflow_functions
from squall.core.expr.json_value import NotJsonError, json_key, json_value, printable
from squall.core.expr.sandbox import Environment, names_with_budget
from squall.core.expr.scope import Scope, Variables
from squall.core.expr.unknown_functions import unknown_in_jinja, unknown_in_yaql, wording

YAQL = "yaql"
JINJA = "jinja"
_YAQL = re.compile(r"<%.*?%>", re.DOTALL)
_JINJA = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_BLOCK = re.compile(r"\{%.*?%\}", re.DOTALL)
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

Part = str | tuple[str, str]
"""A piece of a text: text as it is, or an expression (as it is written, and its source)."""


def languages(text: str) -> list[str]:
    """Which languages a text has expressions of."""
    found = []
    if "{{" in text or "{%" in text:
        found += [JINJA] if _JINJA.search(text) or _BLOCK.search(text) else []
    if "<%" in text:
        found += [YAQL] if _YAQL.search(text) else []
    return found


class Language:
    """Evaluates, checks and searches values with expressions in them. `deadline` bounds the time of each.

    One is for one thread at a time. The first takes 60 ms to make; a `twin` of it takes 1 ms.
    """

    def __init__(self, deadline: Deadline | None = None, model: Language | None = None) -> None:
        # Not above: yaql takes long to load, and a client may never need it.
        from squall.core.expr.yaql import Yaql

        self._deadline = deadline
        self._yaql: Yaql = Yaql(deadline) if model is None else model._yaql.twin()
        self._environment = Environment()
        self._environment.globals |= workflow_functions()
        self._environment.filters |= workflow_functions()
        self._templates: dict[str, Template] = {}
        self._expressions: dict[str, TemplateExpression] = {}
        self._parts: dict[str, tuple[str, list[Part]]] = {}

    def twin(self) -> Language:
        """Another for another thread."""
        return Language(self._deadline, self)

    def evaluate(self, value: Any, scope: Scope) -> Any:
        """The value with all expressions in it evaluated, also in the keys of objects: plain JSON.

        Raises `EvaluationError`, and of this kind `UnstorableError` for a value that has no form in JSON. An
        `UnavailableError` of what expressions ask of the outside is raised as it is: another time may succeed.
        """
        if isinstance(value, str) and ("{" in value or "<%" in value):
            return self._text(value, scope)
        if isinstance(value, dict):
            made: dict[str, Any] = {}
            for key, item in value.items():
                name = self._key(key, scope)
                if name in made:
                    raise UnstorableError(f'The key "{printable(name)}" stands twice in the same object.')
                made[name] = self.evaluate(item, scope)
            return made
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
        found = self._parts.get(text)
        if found is None:
            found = self._split(text)
            if len(self._parts) >= _CACHED:
                self._parts.clear()
            self._parts[text] = found
        language, parts = found
        if language == YAQL:
            return self._joined(YAQL, parts, lambda source: self._yaql.evaluate(source, scope))
        if language == JINJA:
            names = names_with_budget(_jinja_names(scope), self._deadline)
            return self._joined(JINJA, parts, lambda source: self._jinja_value(source, names))
        if language == "block":
            return _plain(self._rendered(text, scope))
        return text

    def _split(self, text: str) -> tuple[str, list[Part]]:
        named = languages(text)
        if not named:
            return "", [text]
        if named[0] == JINJA and _BLOCK.search(text):
            return "block", []
        if named[0] == JINJA:
            return JINJA, list(self._jinja_parts(text))
        return YAQL, list(_yaql_parts(text))

    def _jinja_parts(self, text: str) -> Iterator[Part]:
        """An expression ends at the first `}}` where it makes sense, or else at the first."""
        at = 0
        while (start := text.find("{{", at)) >= 0 and (first := text.find("}}", start)) >= 0:
            if start > at:
                yield text[at:start]
            end = first
            while end >= 0 and self._jinja_complaint(text[start + 2 : end].strip()) is not None:
                end = text.find("}}", end + 1)
            end = first if end < 0 else end
            yield text[start : end + 2], text[start + 2 : end].strip()
            at = end + 2
        if at < len(text):
            yield text[at:]

    def _joined(self, language: str, parts: list[Part], value_of: Callable[[str], Any]) -> Any:
        """One expression alone keeps the type of its value; with text around it everything becomes text."""
        made: list[str] = []
        missing: list[str] = []
        for part in parts:
            if isinstance(part, str):
                made.append(part)
                continue
            written, source = part
            with _Told(language, written):
                value = value_of(source)
            if isinstance(value, StrictUndefined):
                missing.append(source)
            elif len(parts) == 1:
                return _plain(value, language, written)
            else:
                with _Told(language, written):
                    check_value(value)
                    made.append(str(value))
        if missing:
            raise EvaluationError(JINJA, f"There are unresolved variables: {', '.join(missing)}")
        with _Told(language, "".join(part if isinstance(part, str) else part[0] for part in parts)):
            check_length(sum(map(len, made)))
        return _plain("".join(made))

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
        with _Told(JINJA, text):
            template = self._templates.get(text)
            if template is None:
                if len(self._templates) >= _CACHED:
                    self._templates.clear()
                template = self._templates[text] = self._environment.from_string(text)
            return template.render(names_with_budget(_jinja_names(scope), self._deadline))

    # -- looking at expressions without evaluating them

    def complaints(self, value: Any) -> list[dict[str, Any]]:
        """What is wrong with the expressions in a value: `{type, expression, message}` each, in Orquesta's words."""
        if isinstance(value, dict):
            return [found for pair in value.items() for each in pair for found in self.complaints(each)]
        if isinstance(value, list):
            return [found for item in value for found in self.complaints(item)]
        if not isinstance(value, str):
            return []
        named = languages(value)
        if len(named) > 1:
            message = "Expression with multiple types is not supported."
            return [{"type": None, "expression": value, "message": message}]
        return list(self._text_complaints(value, named[0])) if named else []

    def _text_complaints(self, text: str, language: str) -> Iterator[dict[str, Any]]:
        if language == YAQL:
            for written in _YAQL.findall(text):
                told = self._yaql.complaint(_inner(written))
                if told is not None:
                    yield {"type": YAQL, "expression": written, "message": told}
            return
        try:
            self._environment.parse(text)
        except TemplateError as error:
            yield {"type": JINJA, "expression": text, "message": str(error)}
            if _JINJA.fullmatch(text):
                return
        for part in self._jinja_parts(text):
            if not isinstance(part, str):
                told = self._jinja_complaint(part[1])
                if told is not None:
                    yield {"type": JINJA, "expression": part[0], "message": told}

    def _jinja_complaint(self, source: str) -> str | None:
        try:
            self._environment.compile_expression(source)
        except TemplateSyntaxError as error:
            return str(error)
        except TemplateError:
            return None
        return None

    def variables(self, value: Any) -> list[tuple[str, str, str]]:
        """The variables that the expressions in a value refer to: (language, text, variable), by variable."""
        return sorted(set(self._references(value)), key=lambda found: found[2])

    def _references(self, value: Any) -> Iterator[tuple[str, str, str]]:
        if isinstance(value, dict):
            for pair in value.items():
                for each in pair:
                    yield from self._references(each)
        elif isinstance(value, list):
            for item in value:
                yield from self._references(item)
        elif isinstance(value, str):
            for language, pattern in ((JINJA, _JINJA), (YAQL, _YAQL)):
                for written in pattern.findall(value):
                    for variable in _VARIABLES:
                        yield from ((language, value, name) for name in variable.findall(written))


def unknown_functions(language: Language, text: str) -> list[str]:
    """A sentence for each function and filter that the expressions in a text use and that there is not.

    Expressions that cannot be parsed have none: `complaints` tells of those.
    """
    named = languages(text)
    found: list[str] = []
    if YAQL in named:
        known = language._yaql.functions()
        for source in map(_inner, _YAQL.findall(text)):
            if language._yaql.complaint(source) is None:
                unknown = unknown_in_yaql(language._yaql.parse(source).expression, known)
                found += [wording(name, known) for name in unknown]
    if JINJA in named:
        try:
            template = language._environment.parse(text)
        except TemplateError:
            return found
        functions = {*language._environment.globals, *_jinja_names(Scope(Variables({})))}
        filters = language._environment.filters
        found += [wording(name, {*functions, *filters}) for name in unknown_in_jinja(template, functions, filters)]
    return found


def _plain(value: Any, language: str = "", written: str = "") -> Any:
    """The value as JSON. Raises `UnstorableError` that names the expression, as written, or else the value."""
    try:
        with _Told(language, written):
            return json_value(value)
    except EvaluationError as error:
        if not isinstance(error.__cause__, NotJsonError):
            raise
        told = str(error) if written else f"The value cannot be stored: {error.__cause__}"
        raise UnstorableError(told) from error.__cause__


class _Told:
    """Tells whatever goes wrong inside as Orquesta does: the expression, the exception's class, its text."""

    def __init__(self, language: str, written: str) -> None:
        self._language = language
        self._written = written

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if error is None or kind is None or not isinstance(error, Exception):
            return
        if isinstance(error, EvaluationError | UnavailableError):
            return
        if isinstance(error, KeyError) and self._language == YAQL:
            key = str(error.args[0] if error.args else error).strip("'")
            message = f"Unable to resolve key '{key}' in expression '{self._written}' from context."
        else:
            text = str(error).strip("'") if _is_quoted(error) else str(error)
            if self._language == JINJA:
                text = str(error)
            name = kind.__name__ if not isinstance(error, LimitExceededError) else "ExpressionLimitExceeded"
            message = f"Unable to evaluate expression '{self._written}'. {name}: {text}"
        raise EvaluationError(self._language, printable(message)) from error


def _is_quoted(error: BaseException) -> bool:
    """Whether Orquesta takes the quotes off an error's text: those of yaql's own, of wrong values and types."""
    return isinstance(error, ValueError | TypeError) or type(error).__module__.startswith("yaql.")


def _inner(written: str) -> str:
    return written[2:-2].strip()


def _yaql_parts(text: str) -> Iterator[Part]:
    at = 0
    for match in _YAQL.finditer(text):
        if match.start() > at:
            yield text[at : match.start()]
        yield match[0], _inner(match[0])
        at = match.end()
    if at < len(text):
        yield text[at:]


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
