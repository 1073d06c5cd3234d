"""Filters with regular expressions, in Python's syntax and with its results, that cannot run for ever.

Python's own engine tries again and again: some patterns take time that doubles with each character. So a pattern
is looked at first, and what could explode runs on RE2, whose time is linear; what RE2 cannot do either is refused.
"""

from __future__ import annotations

import importlib
import re
from typing import Any

import re2  # type: ignore[import-untyped]

# Type stubs do not know it, and whether a type checker says so depends on what else it has read.
_parser: Any = importlib.import_module("re._parser")

_REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})
_ENDLESS = 64
_MAX_WORK = 10**8


def is_explosive(pattern: str, length: int) -> bool:
    """Whether Python's engine could need more than about a second for a text of `length` characters."""
    try:
        parsed = _parser.parse(pattern)
    except (re.error, OverflowError, RecursionError):
        return False
    nested, repeats = _repeats(parsed, inside=False)
    return nested or (repeats > 1 and length**repeats > _MAX_WORK)


def _repeats(parsed: Any, inside: bool) -> tuple[bool, int]:
    """Whether an endless repeat holds a choice of its own, and how many endless repeats there are."""
    nested, count = False, 0
    for operation, argument in parsed:
        name = str(operation)
        if name in _REPEATS:
            endless = argument[1] > _ENDLESS
            below, inner = _repeats(argument[2], inside or endless)
            nested |= below or (endless and inside)
            count += inner + endless
        else:
            nested |= inside and name == "BRANCH"
            for part in _parts(argument):
                below, inner = _repeats(part, inside)
                nested, count = nested or below, count + inner
    return nested, count


def _parts(argument: Any) -> list[Any]:
    """The sub-patterns in the argument of an operation."""
    if isinstance(argument, _parser.SubPattern):
        return [argument]
    if isinstance(argument, tuple | list):
        return [part for item in argument for part in _parts(item)]
    return []


def compiled(pattern: str, text: str, ignorecase: bool = False) -> Any:
    """A compiled pattern for this text. Raises `ValueError` for one that is wrong or could run without end."""
    if not is_explosive(pattern, len(text)):
        return re.compile(pattern, re.IGNORECASE if ignorecase else 0)
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not ignorecase
    try:
        return re2.compile(pattern, options)
    except re2.error:
        raise ValueError(
            f"the pattern {pattern!r} could run without end on a text of {len(text)} characters; write it without"
            " repeats inside of repeats"
        ) from None


def regex_match(value: str, pattern: str, ignorecase: bool = False) -> bool:
    """Whether the text begins with what the pattern matches."""
    return compiled(pattern, value, ignorecase).match(value) is not None


def regex_search(value: str, pattern: str, ignorecase: bool = False) -> bool:
    """Whether the pattern matches anywhere in the text."""
    return compiled(pattern, value, ignorecase).search(value) is not None


def regex_replace(value: str, pattern: str, replacement_str: str, ignorecase: bool = False) -> str:
    """The text with every match replaced."""
    replaced: str = compiled(pattern, value, ignorecase).sub(replacement_str, value)
    return replaced


def regex_substring(value: str, pattern: str, result_index: int = 0, ignorecase: bool = False) -> Any:
    """The match of that number. Raises `IndexError` when there are fewer."""
    return compiled(pattern, value, ignorecase).findall(value)[result_index]
