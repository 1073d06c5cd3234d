"""Shell wildcards (`*`, `?`, `[a-z]`), as Python's fnmatch reads them, on an engine whose time is bounded."""

from __future__ import annotations

import re

from squall.core.regex import compiled

_NOTHING = "[^\\x00-\\U0010ffff]"


def matches_wildcard(text: str, pattern: str) -> bool:
    """Checks whether a pattern matches the whole of `text`. Raises `squall.core.regex.RegexError`."""
    return compiled(wildcard_regex(pattern), re.DOTALL).match(text) is not None


def wildcard_regex(pattern: str) -> str:
    """Returns the regular expression, with the flag DOTALL, of a pattern."""
    pieces: list[str] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*":
            if pieces[-1:] != [".*"]:
                pieces.append(".*")
        elif character == "?":
            pieces.append(".")
        elif character == "[" and (end := _end_of_set(pattern, at)) >= 0:
            pieces.append(_set(pattern[at:end]))
            at = end + 1
        else:
            pieces.append(re.escape(character))
    return "".join([*pieces, r"\Z"])


def _end_of_set(pattern: str, start: int) -> int:
    """Returns the index of the `]` that closes a set; -1 if there is none. A `]` that comes first does not close it."""
    first = start + pattern.startswith("!", start)
    return pattern.find("]", first + 1)


def _set(inner: str) -> str:
    is_negated = inner.startswith("!")
    items = inner[is_negated:]
    parts: list[str] = []
    at = 0
    while at < len(items):
        first = items[at]
        if items[at + 1 : at + 2] == "-" and at + 2 < len(items):
            last = items[at + 2]
            if first <= last:
                parts.append(f"{_escaped(first)}-{_escaped(last)}")
            at += 3
        else:
            parts.append(_escaped(first))
            at += 1
    if not parts:
        return "." if is_negated else _NOTHING
    return f"[{'^' if is_negated else ''}{''.join(parts)}]"


def _escaped(character: str) -> str:
    return f"\\U{ord(character):08x}"
