"""YAQL expressions: parsed once, evaluated against a `Scope`, with every call counted."""

from __future__ import annotations

import collections.abc  # noqa: F401 - yaql uses it without importing it
import inspect
from collections.abc import Callable
from typing import Any

import yaql  # type: ignore[import-untyped]
from yaql.language import contexts, conventions, specs, yaqltypes  # type: ignore[import-untyped]
from yaql.language.exceptions import YaqlException  # type: ignore[import-untyped]

from squall.core.expr.bounds.cheap import is_cheap_yaql
from squall.core.expr.bounds.limits import (
    MAX_NODES,
    MAX_SIZE,
    Budget,
    Deadline,
    check_bits,
    check_power,
    check_product,
    check_replace,
    check_value,
)
from squall.core.expr.filters.table import workflow_functions
from squall.core.expr.frozen import freeze, thaw
from squall.core.expr.scope import Scope
from squall.core.expr.yaql_grammar import new_engine, twin_engine
from squall.core.expr.yaql_regexes import register_regexes

_CACHED = 1024
_SCOPE = "the scope"
_OPTIONS = {
    "yaql.limitIterators": MAX_NODES,
    "yaql.memoryQuota": 8 * MAX_SIZE,
    "yaql.convertInputData": False,
    "yaql.convertOutputData": False,
}


class _Evaluation(contexts.Context):  # type: ignore[misc]
    """A yaql context in which every call takes one step of the budget."""

    budget: Budget | None = None

    def __init__(self, parent_context: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(parent_context, *args, **kwargs)
        self.budget = getattr(parent_context, "budget", None)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.budget is not None:
            self.budget.step()
        return super().__call__(*args, **kwargs)


class Yaql:
    """Evaluates YAQL. Caches a thousand parsed expressions.

    If `model` is given, this shares its grammar tables and functions, which saves most of the time.
    """

    def __init__(self, deadline: Deadline | None = None, model: Yaql | None = None) -> None:
        self._deadline = deadline
        self._engine: Any = new_engine(_OPTIONS) if model is None else twin_engine(model._engine)
        self._root: Any = _root_context() if model is None else model._root
        self._parsed: dict[str, Any] = {}

    def twin(self) -> Yaql:
        """Returns another evaluator, for another thread, with its own parser and cache."""
        return Yaql(self._deadline, self)

    def parse(self, source: str) -> Any:
        """Parses an expression. Raises yaql's exceptions, `ValueError` and `TypeError` for an invalid one."""
        expression = self._parsed.get(source)
        if expression is None:
            expression = self._engine(source)
            if len(self._parsed) >= _CACHED:
                self._parsed.clear()
            self._parsed[source] = expression
        return expression

    def functions(self) -> frozenset[str]:
        """Returns the names of all functions."""
        names: set[str] = set()
        layer = self._root
        while layer is not None:
            names.update(layer._functions)
            layer = layer.parent
        return frozenset(name for name in names if name[:1].isalpha())

    def complaint(self, source: str) -> str | None:
        """Returns the parser's error message for an expression; None if it is valid."""
        try:
            self.parse(source)
        except (YaqlException, ValueError, TypeError) as error:
            return str(error)
        return None

    def is_cheap(self, source: str) -> bool:
        """Checks whether an expression is cheap (`bounds.cheap`). An invalid one is: it is not evaluated."""
        try:
            return is_cheap_yaql(self.parse(source).expression)
        except (YaqlException, ValueError, TypeError):
            return True

    def evaluate(self, source: str, scope: Scope) -> Any:
        """Evaluates an expression to a plain value. Raises any exception of the expression."""
        context = _Evaluation(self._root)
        context.budget = Budget(self._deadline)
        context[_SCOPE] = scope
        return thaw(self.parse(source).evaluate(context=context))


def _root_context() -> Any:
    root = _Evaluation(yaql.create_context(convention=conventions.CamelCaseConvention(), regex=False))
    _bound_library(root)
    register_regexes(root)
    for name, function in workflow_functions().items():
        definition = specs.get_function_definition(function, name=name, convention=root.convention)
        definition.payload = _with_plain_values(function)
        root.register_function(definition)
    for name, function in _scope_functions().items():
        root.register_function(function, name=name)
    return root


def _with_plain_values(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps a function that takes and returns plain values for YAQL, whose values are frozen."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return freeze(function(*map(thaw, args), **{name: thaw(value) for name, value in kwargs.items()}))

    return wrapper


def _scope_functions() -> dict[str, Callable[..., Any]]:
    """Returns the functions of workflows. yaql passes each the context of its call."""

    def ctx(context: Any, key: str | None = None) -> Any:
        scope: Scope = context[_SCOPE]
        if not key:
            return scope.variables.frozen
        scope.variables.check(key)
        return scope.variables.frozen[key]

    def item(context: Any, key: str | None = None) -> Any:
        return freeze(context[_SCOPE].get_item(key))

    def result(context: Any) -> Any:
        return freeze(context[_SCOPE].result())

    def succeeded(context: Any) -> Any:
        return context[_SCOPE].succeeded()

    def failed(context: Any) -> Any:
        return context[_SCOPE].failed()

    def completed(context: Any) -> Any:
        return context[_SCOPE].completed()

    def task_status(context: Any, task_id: Any, route: Any = None) -> Any:
        return context[_SCOPE].task_status(task_id, route)

    def task(context: Any, task_name: Any = None, route: Any = None) -> Any:
        return freeze(context[_SCOPE].task(task_name, route))

    def st2kv(context: Any, key: Any, decrypt: Any = False, default: Any = _MISSING) -> Any:
        keywords = {} if default is _MISSING else {"default": thaw(default)}
        return freeze(context[_SCOPE].st2kv(key, decrypt, **keywords))

    st2kv_typed = specs.parameter("default", yaqltypes.PythonType(object, True))(st2kv)
    functions = (ctx, item, result, succeeded, failed, completed, task_status, task)
    return {function.__name__: function for function in functions} | {"st2kv": st2kv_typed}


class _Missing:
    """The type of `_MISSING`."""


_MISSING = _Missing()
"""The default of a parameter for which null is a value."""


def _bound_library(root: Any) -> None:
    """Adds checks before the functions of yaql's library that can create a huge value, or run for ever."""
    checks: dict[str, Callable[..., None]] = {
        "#operator_*": check_product,
        "pow": lambda base, exponent, _modulus=None: check_power(base, exponent),
        "shiftBitsLeft": lambda value, bits: check_bits(value.bit_length() + bits),
        "str": check_value,
        "replace": _check_replacement,
    }
    layer = root.parent
    while layer is not None:
        for name, check in checks.items():
            for definition in layer.get_functions(name)[0]:
                definition.payload = _with_check(definition.payload, check)
        layer = layer.parent


def _with_check(function: Callable[..., Any], check: Callable[..., None]) -> Callable[..., Any]:
    parameters = inspect.signature(function).parameters
    hidden = {name for name in ("engine", "context") if name in parameters}

    def checked(*args: Any, **kwargs: Any) -> Any:
        visible = [arg for arg, name in zip(args, parameters, strict=False) if name not in hidden]
        visible += args[len(parameters) :]
        check(*visible, **{name: value for name, value in kwargs.items() if name not in hidden})
        return function(*args, **kwargs)

    return checked


def _check_replacement(*args: Any, **_kwargs: Any) -> None:
    texts = [arg for arg in args if isinstance(arg, str)]
    if len(texts) == 3:
        check_replace(*texts)
