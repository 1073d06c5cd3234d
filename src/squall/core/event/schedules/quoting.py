"""Values of parameters in messages."""

from __future__ import annotations

from typing import Final

_LONGEST: Final = 100


def quoted(value: object) -> str:
    """Returns a value as a message quotes it, at most 100 characters of it."""
    try:
        return repr(value)[:_LONGEST]
    except ValueError:
        # Python does not write numbers of thousands of digits.
        return "a number of thousands of digits"
