"""A second, plain implementation of criteria: slow, short, and without the code of Squall. Tests compare with it."""

from __future__ import annotations

import fnmatch
import re
from typing import Any


class Fault(Exception):
    """A criterion cannot be evaluated."""


def at(document: Any, path: str) -> Any:
    for name in path.split("#")[0].split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def holds(criterion: dict[str, Any], value: Any) -> bool:
    pattern = criterion.get("pattern")
    name = criterion["type"]
    if name == "exists":
        return value is not None
    if name == "nexists":
        return value is None
    if name in ("neq", "nequals"):
        return bool(value != pattern)
    if name == "search":
        return searched(criterion, value)
    if pattern is None:
        return False
    try:
        return bool(compared(name, value, pattern))
    except (TypeError, AttributeError, re.error) as error:
        raise Fault from error


def compared(name: str, value: Any, pattern: Any) -> Any:
    lowered = name.startswith("i") and name not in ("in", "inside", "iregex")
    if lowered or name == "incontains":
        value, pattern, name = value.lower(), pattern.lower(), name.replace("i", "", 1)
    if name in ("eq", "equals"):
        return value == pattern
    if name == "contains":
        return pattern in value
    if name == "ncontains":
        return pattern not in value
    if name == "startswith":
        return value.startswith(pattern)
    if name == "endswith":
        return value.endswith(pattern)
    if name in ("lt", "lessthan"):
        return value < pattern
    if name in ("gt", "greaterthan"):
        return value > pattern
    if name in ("in", "inside"):
        return value in pattern
    if name in ("nin", "ninside"):
        return value not in pattern
    if name == "matchwildcard":
        return fnmatch.fnmatchcase(value, pattern)
    if name == "matchregex":
        return re.compile(pattern, re.DOTALL).match(value) is not None
    return re.compile(pattern, re.IGNORECASE if name == "iregex" else 0).search(value) is not None


def searched(criterion: dict[str, Any], value: Any) -> bool:
    elements = [value] if isinstance(value, dict) else value
    if not isinstance(elements, list):
        raise Fault
    outer, inner = {"any": (any, all), "all": (all, all), "any2any": (any, any), "all2any": (all, any)}[
        criterion["condition"]
    ]
    return outer([inner([quietly(each, {"item": element}, key) for key, each in criterion["pattern"].items()])
                  for element in elements])  # fmt: skip


def quietly(criterion: dict[str, Any], document: Any, key: str) -> bool:
    try:
        return holds(criterion, at(document, key))
    except Fault:
        return False


def matches(criteria: dict[str, Any], payload: Any) -> tuple[bool, bool]:
    """Returns whether a rule matches, and whether it fails: its first criterion without a match has an error."""
    for key, criterion in criteria.items():
        try:
            if not holds(criterion, at({"trigger": payload}, key)):
                return False, False
        except Fault:
            return False, True
    return True, False
