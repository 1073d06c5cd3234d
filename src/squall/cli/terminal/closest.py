"""Finds the name that somebody meant who mistyped it."""

from __future__ import annotations

from collections.abc import Iterable


def closest(word: str, names: Iterable[str]) -> str | None:
    """The name that is most like `word`, in any case; None if no name is like it."""
    from difflib import get_close_matches

    lowered = {name.lower(): name for name in sorted(names)}
    matches = get_close_matches(word.lower(), lowered, n=1)
    return lowered[matches[0]] if matches else None
