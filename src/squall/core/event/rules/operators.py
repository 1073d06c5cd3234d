"""The operators of criteria. `value` is from the event, `pattern` from the rule, after rendering.

Names and results are StackStorm's. An operator that cannot compare its values raises `OperatorError`, so that the rule
does not match, with a reason. Regular expressions run on RE2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from squall.core.event.rules.moments import MomentError, seconds_since
from squall.core.event.rules.wildcards import matches_wildcard, wildcard_regex
from squall.core.regex import Regex, RegexError, compiled

SEARCH = "search"
"""The operator whose pattern is criteria again, for the elements of a list."""

CONDITIONS = ("all", "all2any", "any", "any2any")
"""The conditions of `search`. The first word says how many elements must match; `2any`: one criterion is enough."""

WILDCARD = "matchwildcard"
"""The operator whose pattern is a shell pattern."""

REGEXES: Mapping[str, int] = {"matchregex": re.DOTALL, "regex": 0, "iregex": re.IGNORECASE}
"""The operators whose pattern is a regular expression, with the flags of `re`."""

WITHOUT_PATTERN = frozenset({"exists", "nexists"})
"""The operators that ignore their pattern."""

WITH_NULL = WITHOUT_PATTERN | {"neq", "nequals"}
"""The operators that may have null as their pattern. All others never match null."""

Operator = Callable[[Any, Any, int], bool]
"""A function of value, pattern, and the present time (µs since 1970). Raises `OperatorError`."""


class Expression(NamedTuple):
    """A regular expression with the flags of `re`. If `at_start`, it must match at the beginning of the text."""

    pattern: str
    flags: int
    at_start: bool


class OperatorError(ValueError):
    """An operator cannot compare its values. The message is for the author of the rule."""


def kind_of(value: Any) -> str:
    """Returns what a JSON value is, such as `a text`."""
    if value is None:
        return "null"
    kinds = ((bool, "a boolean"), (int | float, "a number"), (str, "a text"), (list, "a list"), (dict, "an object"))
    return next((name for types, name in kinds if isinstance(value, types)), f"a {type(value).__name__}")


def _texts(value: Any, pattern: Any) -> tuple[str, str]:
    if not isinstance(value, str):
        raise OperatorError(f"the value is {kind_of(value)}; this operator compares texts")
    if not isinstance(pattern, str):
        raise OperatorError(f"the pattern is {kind_of(pattern)}; this operator compares texts")
    return value, pattern


def _of_texts(compare: Callable[[str, str], bool]) -> Operator:
    def operator(value: Any, pattern: Any, _now: int) -> bool:
        return pattern is not None and compare(*_texts(value, pattern))

    return operator


def _lower(compare: Callable[[str, str], bool]) -> Operator:
    return _of_texts(lambda value, pattern: compare(value.lower(), pattern.lower()))


class PatternError(OperatorError):
    """The pattern of an operator is wrong. The message quotes it."""


def expression_of(operator: str, pattern: str) -> Expression | None:
    """Returns the regular expression of an operator that has one; None for others. Raises `OperatorError`."""
    if operator == WILDCARD:
        return Expression(wildcard_regex(pattern), re.DOTALL, True)
    flags = REGEXES.get(operator)
    return None if flags is None else Expression(pattern, flags, operator == "matchregex")


def compiled_of(expression: Expression) -> Regex:
    """Returns a compiled expression. Raises `OperatorError`."""
    try:
        return compiled(expression.pattern, expression.flags)
    except RegexError as error:
        raise PatternError(str(error)) from None


def _of_regexes(name: str) -> Operator:
    def compare(value: str, pattern: str) -> bool:
        expression = expression_of(name, pattern)
        assert expression is not None  # noqa: S101 - only operators with an expression are made here
        regex = compiled_of(expression)
        return (regex.match(value) if expression.at_start else regex.search(value)) is not None

    return _of_texts(compare)


def _wildcard(value: str, pattern: str) -> bool:
    try:
        return matches_wildcard(value, pattern)
    except RegexError as error:
        raise PatternError(str(error)) from None


def _of_order(is_less: bool) -> Operator:
    def operator(value: Any, pattern: Any, _now: int) -> bool:
        if pattern is None:
            return False
        try:
            return bool(value < pattern if is_less else value > pattern)
        except TypeError:
            raise OperatorError(
                f"the value is {kind_of(value)} and the pattern {kind_of(pattern)}; they have no order"
            ) from None

    return operator


def _of_times(is_less: bool) -> Operator:
    """The age of a time in seconds, compared with the pattern."""

    def operator(value: Any, pattern: Any, now: int) -> bool:
        if pattern is None:
            return False
        try:
            limit = float(pattern)
        except (TypeError, ValueError, OverflowError):
            raise OperatorError(f"the pattern is {kind_of(pattern)}; it must be a number of seconds") from None
        try:
            age = seconds_since(value, now)
        except MomentError as error:
            raise OperatorError(str(error)) from None
        return age < limit if is_less else age > limit

    return operator


def _equals(value: Any, pattern: Any, _now: int) -> bool:
    return pattern is not None and bool(value == pattern)


def _not_equals(value: Any, pattern: Any, _now: int) -> bool:
    return bool(value != pattern)


def _is_in(part: Any, whole: Any, names: tuple[str, str]) -> bool:
    """Checks whether `part` is in a text, a list, or the keys of an object. `names` are their names in errors."""
    if isinstance(whole, str) and not isinstance(part, str):
        raise OperatorError(f"the {names[0]} is {kind_of(part)}, but the {names[1]} is a text, which has texts in it")
    if isinstance(whole, dict) and isinstance(part, list | dict):
        raise OperatorError(f"the {names[0]} is {kind_of(part)}, but the {names[1]} is an object, whose keys are texts")
    if not isinstance(whole, str | list | dict):
        raise OperatorError(f"the {names[1]} is {kind_of(whole)}; it must be a text, a list or an object")
    return part in whole


def _contains(value: Any, pattern: Any, _now: int) -> bool:
    return pattern is not None and _is_in(pattern, value, ("pattern", "value"))


def _not_contains(value: Any, pattern: Any, _now: int) -> bool:
    return pattern is not None and not _is_in(pattern, value, ("pattern", "value"))


def _inside(value: Any, pattern: Any, _now: int) -> bool:
    return pattern is not None and _is_in(value, pattern, ("value", "pattern"))


def _not_inside(value: Any, pattern: Any, _now: int) -> bool:
    return pattern is not None and not _is_in(value, pattern, ("value", "pattern"))


def _exists(value: Any, _pattern: Any, _now: int) -> bool:
    return value is not None


def _not_exists(value: Any, _pattern: Any, _now: int) -> bool:
    return value is None


_NAMED: tuple[tuple[tuple[str, ...], Operator], ...] = (
    ((WILDCARD,), _of_texts(_wildcard)),
    (("matchregex",), _of_regexes("matchregex")),
    (("regex",), _of_regexes("regex")),
    (("iregex",), _of_regexes("iregex")),
    (("eq", "equals"), _equals),
    (("neq", "nequals"), _not_equals),
    (("ieq", "iequals"), _lower(lambda value, pattern: value == pattern)),
    (("contains",), _contains),
    (("icontains",), _lower(lambda value, pattern: pattern in value)),
    (("ncontains",), _not_contains),
    (("incontains",), _lower(lambda value, pattern: pattern not in value)),
    (("startswith",), _of_texts(str.startswith)),
    (("istartswith",), _lower(str.startswith)),
    (("endswith",), _of_texts(str.endswith)),
    (("iendswith",), _lower(str.endswith)),
    (("lt", "lessthan"), _of_order(True)),
    (("gt", "greaterthan"), _of_order(False)),
    (("td_lt", "timediff_lt"), _of_times(True)),
    (("td_gt", "timediff_gt"), _of_times(False)),
    (("exists",), _exists),
    (("nexists",), _not_exists),
    (("inside", "in"), _inside),
    (("ninside", "nin"), _not_inside),
)
OPERATORS: Mapping[str, Operator] = {name: operator for names, operator in _NAMED for name in names}
"""The operators by name, without `search`."""

NAMES = (*OPERATORS, SEARCH)
"""The names of all operators."""


def apply(operator: Operator, value: Any, pattern: Any, now: int) -> bool:
    """Returns the verdict of an operator at the time `now` (µs since 1970). Raises `OperatorError`, also for values
    that nest too deep to be compared."""
    try:
        return operator(value, pattern, now)
    except RecursionError:
        raise OperatorError("the values nest too deep to be compared") from None
