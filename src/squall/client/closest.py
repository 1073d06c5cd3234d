"""The name that a mistyped word means."""

from __future__ import annotations

from collections.abc import Iterable

ALIKE = 0.6


def closest(word: str, names: Iterable[str], alike: float = ALIKE) -> str | None:
    """The name that is most like a mistyped `word`, in any case; None if no name is like it (`alike`, from 0 to 1)."""
    from difflib import get_close_matches

    lowered = {name.lower(): name for name in sorted(names)}
    matches = get_close_matches(word.lower(), lowered, n=1, cutoff=alike)
    return lowered[matches[0]] if matches else None
