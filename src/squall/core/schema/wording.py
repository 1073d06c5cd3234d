"""The errors of a value in StackStorm's words, which are those of the library jsonschema. Their cost is bounded.

The library compares each element with each other one, follows each `$ref` and each alternative again for each value,
and quotes the value in each error. So every keyword counts its steps here, and the search ends when they are too many.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

Matches = Callable[[str, str], bool]
"""Checks whether a pattern matches somewhere in a text."""

_STEPS: Final = 10_000
"""The steps of the search for one error: 0.1 s of work at most."""

_QUOTED: Final = 64
"""The characters of a text, or parts of a value, that count as one step."""

_PATTERN_STEPS: Final = 20

_DEEPEST: Final = 200
"""The most keywords within each other, three calls each. At Python's own limit, a part of the library that is no Python
may end with an exception that nothing catches."""


class CostError(ValueError):
    """Finding the errors of a value costs too much."""


def worst_error(plain: Any, value: Any, matches: Matches) -> Any | None:
    """Returns the error of `value` that says most, of those that are found within a bounded number of steps; None if
    there is none.

    `plain` is a correct JSON schema of draft 4.
    """
    from jsonschema.exceptions import best_match

    errors: list[Any] = []
    try:
        for error in errors_of(plain, value, matches, _STEPS):
            errors.append(error)  # noqa: PERF402 - those before a failure are needed
    except CostError:
        pass
    return best_match(iter(errors)) if errors else None


def errors_of(plain: Any, value: Any, matches: Matches, steps: int) -> Iterator[Any]:
    """Yields the errors of `value`. Raises `CostError` when they took `steps` steps, or cannot be found."""
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    # The library's own registry would fetch the target of a `$ref`; an empty one fetches nothing.
    worder = _worder()(plain, registry=Registry(), format_checker=_budget()(steps, matches))
    try:
        yield from worder.iter_errors(value)
    except CostError:
        raise
    except RecursionError:
        raise CostError("its parts lead to each other too often") from None
    except (ArithmeticError, ValueError, Unresolvable) as error:
        # Numbers with thousands of digits can be neither divided nor quoted.
        raise CostError(str(error)) from None


@lru_cache(1)
def _budget() -> Any:
    from jsonschema import FormatChecker

    class Budget(FormatChecker):
        """The steps that are left. The library hands the object that checks formats to every part of a check, and
        nothing else of ours; StackStorm checks no formats."""

        def __init__(self, steps: int, matches: Matches) -> None:
            super().__init__(())
            self._left = steps
            self._depth = 0
            self.matches = matches

        def enter(self) -> None:
            """Notes that a keyword begins. Raises `CostError` if there are too many within each other."""
            if self._depth >= _DEEPEST:
                raise CostError("its parts lead to each other too often")
            self._depth += 1

        def leave(self) -> None:
            """Notes that a keyword ends."""
            self._depth -= 1

        def spend(self, steps: int) -> None:
            """Counts steps. Raises `CostError` if there are too many."""
            self._left -= steps
            if self._left < 0:
                raise CostError("the check takes too many steps")

        def check(self, instance: object, format: str) -> None:  # noqa: A002 - the library's name
            """Accepts everything."""

    return Budget


@lru_cache(1)
def _worder() -> Any:
    from jsonschema import Draft4Validator
    from jsonschema.validators import extend

    own = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
        "enum": _enum,
    }
    rules = {name: _counted(rule) for name, rule in {**Draft4Validator.VALIDATORS, **own}.items()}
    return extend(Draft4Validator, rules)  # type: ignore[no-untyped-call]


def _counted(rule: Callable[..., Any]) -> Callable[..., Iterator[Any]]:
    """Returns the rule of a keyword with its steps counted: the parts of the keyword's value, for each part of the
    checked value, and the length of its messages."""

    def counted(worder: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[Any]:
        spend = worder.format_checker.spend
        length = len(instance) // _QUOTED if isinstance(instance, dict | list) else 0
        spend(_size(schema, 0) + _size(wanted) + length)
        worder.format_checker.enter()
        try:
            for error in rule(worder, wanted, instance, schema) or ():
                spend(1 + len(error.message) // _QUOTED)
                yield error
        finally:
            worder.format_checker.leave()

    return counted


def _size(value: Any, below: int = 1) -> int:
    """Returns the number of parts of a keyword's value, down to `below` levels under it, in steps."""
    if not isinstance(value, dict | list):
        return 1
    if not below:
        return 1 + len(value) // 8
    parts = value.values() if isinstance(value, dict) else value
    return 1 + sum(_size(part, below - 1) for part in parts)


def _pattern(worder: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if worder.is_type(instance, "string"):
        worder.format_checker.spend(_PATTERN_STEPS + len(instance) // _QUOTED)
        if not worder.format_checker.matches(pattern, instance):
            yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(worder: Any, patterns: Mapping[str, Any], instance: Any, _schema: Any) -> Iterator[Any]:
    if worder.is_type(instance, "object"):
        for pattern, schema in patterns.items():
            worder.format_checker.spend(len(instance))
            for name, value in instance.items():
                if worder.format_checker.matches(pattern, name):
                    yield from worder.descend(value, schema, path=name, schema_path=pattern)


def _additional_properties(worder: Any, allowed: Any, instance: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
    from jsonschema import ValidationError

    if not worder.is_type(instance, "object"):
        return
    patterns = schema.get("patternProperties", {})
    worder.format_checker.spend(len(instance) * len(patterns))
    more = [
        name
        for name in instance
        if name not in schema.get("properties", {})
        and not any(worder.format_checker.matches(pattern, name) for pattern in patterns)
    ]
    if worder.is_type(allowed, "object"):
        for name in more:
            yield from worder.descend(instance[name], allowed, path=name)
    elif not allowed and more:
        names = ", ".join(repr(name) for name in sorted(more))
        if patterns:
            regexes = ", ".join(repr(pattern) for pattern in sorted(patterns))
            verb = "does" if len(more) == 1 else "do"
            yield ValidationError(f"{names} {verb} not match any of the regexes: {regexes}")
        else:
            verb = "was" if len(more) == 1 else "were"
            yield ValidationError(f"Additional properties are not allowed ({names} {verb} unexpected)")


def _unique_items(worder: Any, wanted: Any, instance: Any, _schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if wanted and worder.is_type(instance, "array"):
        texts = {_identity(worder, item) for item in instance}
        if len(texts) < len(instance):
            yield ValidationError(f"{instance!r} has non-unique elements")


def _enum(worder: Any, values: Any, instance: Any, _schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    text = _identity(worder, instance)
    if all(_identity(worder, value) != text for value in values):
        yield ValidationError(f"{instance!r} is not one of {values!r}")


def _identity(worder: Any, value: Any) -> str:
    """Returns a text that two values share if JSON schemas take them as equal: 1 and 1.0 are, 1 and true are not."""
    text = json.dumps(_plain(value), sort_keys=True)
    worder.format_checker.spend(len(text) // _QUOTED)
    return text


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
