"""Reads the criteria of a rule: `{path: {type, pattern}}`, and for `search` also a `condition`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from squall.core.content.metadata_words import MetadataError, check_type, similar_word, unknown_word
from squall.core.content.pack_config import is_template
from squall.core.event.rules.operators import CONDITIONS, NAMES, REGEXES, SEARCH, WITH_NULL, WITHOUT_PATTERN
from squall.core.event.rules.paths import PathError, parse_path
from squall.core.event.rules.wildcards import wildcard_regex
from squall.core.regex import RegexError, compiled

MOST_CRITERIA = 500
"""The most criteria of one rule, with those within `search`."""

DEEPEST_SEARCH = 5
"""The most levels of `search` within each other."""

_WORDS = ("type", "pattern", "condition")
_Keys = tuple[str, ...]


def check_criteria(criteria: Mapping[str, Any], *keys: str) -> None:
    """Raises `MetadataError`, which is an `InvalidError`, at the wrong part of a rule's criteria. `keys` is their
    path."""
    count = _check(criteria, keys, 1)
    if count > MOST_CRITERIA:
        raise MetadataError(f"a rule has at most {MOST_CRITERIA} criteria, not {count}", *keys)


def _check(criteria: Mapping[str, Any], keys: _Keys, depth: int) -> int:
    count = len(criteria)
    for path, criterion in criteria.items():
        place = (*keys, path)
        try:
            parse_path(path)
        except PathError as error:
            raise MetadataError(f"the path is wrong: {error}", *place) from None
        if not isinstance(criterion, dict):
            raise MetadataError(f"{criterion!r:.60} is not a mapping, such as {{type: eq, pattern: 5}}", *place)
        for word in criterion:
            if word not in _WORDS:
                raise unknown_word(word, _WORDS, *place)
        operator = _operator(criterion, place)
        if operator == SEARCH:
            count += _check_search(criterion, place, depth)
        else:
            _check_pattern(operator, criterion, place)
    return count


def _operator(criterion: Mapping[str, Any], place: _Keys) -> str:
    operator = criterion.get("type")
    if operator is None:
        raise MetadataError(f"the operator is missing; set type to one of {', '.join(NAMES)}", *place, "type")
    if operator not in NAMES:
        similar = similar_word(operator, NAMES)
        advice = f'; did you mean "{similar}"?' if similar else ""
        raise MetadataError(f"operator {operator!r:.60} is none of {', '.join(NAMES)}{advice}", *place, "type")
    return str(operator)


def _check_pattern(operator: str, criterion: Mapping[str, Any], place: _Keys) -> None:
    if criterion.get("condition") is not None:
        raise MetadataError(f'only the operator "{SEARCH}" has a condition, not "{operator}"', *place, "condition")
    if operator in WITHOUT_PATTERN:
        return
    if "pattern" not in criterion:
        raise MetadataError(f'the operator "{operator}" needs a pattern', *place, "pattern")
    pattern = criterion["pattern"]
    if pattern is None and operator not in WITH_NULL:
        raise MetadataError(
            f'the operator "{operator}" never matches null; use "nexists" for a value that is missing or null',
            *place,
            "pattern",
        )
    if not isinstance(pattern, str) or is_template(pattern):
        return
    try:
        if operator in REGEXES:
            compiled(pattern, REGEXES[operator])
        elif operator == "matchwildcard":
            compiled(wildcard_regex(pattern))
    except RegexError as error:
        raise MetadataError(str(error), *place, "pattern") from None


def _check_search(criterion: Mapping[str, Any], place: _Keys, depth: int) -> int:
    """Checks the criteria for the elements of a list. Returns their number."""
    condition = criterion.get("condition")
    if condition not in CONDITIONS:
        message = "the condition is missing" if condition is None else f"condition {condition!r:.60} is unknown"
        raise MetadataError(f"{message}; use one of {', '.join(CONDITIONS)}", *place, "condition")
    pattern = criterion.get("pattern")
    if pattern is None:
        raise MetadataError('the operator "search" needs a pattern', *place, "pattern")
    check_type(pattern, (dict,), *place, "pattern")
    if depth > DEEPEST_SEARCH:
        raise MetadataError(f'at most {DEEPEST_SEARCH} levels of "search" may be in each other', *place)
    return _check(pattern, (*place, "pattern"), depth + 1)
