"""StackStorm's filters with regular expressions: Python's syntax and results, in time proportional to the text."""

from __future__ import annotations

import re
from typing import Any

from squall.core.expr.bounds.limits import check_length
from squall.core.regex import Regex, compiled


def _pattern(pattern: str, ignorecase: bool) -> Regex:
    return compiled(pattern, re.IGNORECASE if ignorecase else 0)


def regex_match(value: str, pattern: str, ignorecase: bool = False) -> bool:
    """Checks whether the pattern matches at the start of the text. Raises `RegexError` for an unusable pattern."""
    return _pattern(pattern, ignorecase).match(value) is not None


def regex_search(value: str, pattern: str, ignorecase: bool = False) -> bool:
    """Checks whether the pattern matches anywhere in the text. Raises `RegexError`."""
    return _pattern(pattern, ignorecase).search(value) is not None


def regex_replace(value: str, pattern: str, replacement_str: str, ignorecase: bool = False) -> str:
    """Replaces every match in the text. Raises `RegexError`."""
    regex = _pattern(pattern, ignorecase)
    if len(replacement_str) > 1:
        # Each match can add a copy of the replacement, which can contain the text of the match.
        matches = sum(1 for _ in regex.finditer(value))
        check_length(len(value) * (1 + replacement_str.count("\\")) + matches * len(replacement_str))
    return regex.sub(replacement_str, value)


def regex_substring(value: str, pattern: str, result_index: int = 0, ignorecase: bool = False) -> Any:
    """Returns the match with the index `result_index`. Raises `RegexError`, and `IndexError` if there are fewer
    matches."""
    return _pattern(pattern, ignorecase).findall(value)[result_index]
