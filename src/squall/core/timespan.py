"""Points in time as users write them: a span such as `5m` back from now, or a date and time."""

from __future__ import annotations

import re

from squall.core.errors import InvalidError
from squall.core.timestamp import from_iso

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)")
# A search for spans starts again at each digit of a long number; a match of the whole text starts once.
_SPANS = re.compile(r"(?:\s*\d+(?:\.\d+)?\s*(?:ms|s|m|h|d|w))+")
_LONGEST = 1_000 * 366 * 86_400_000_000
_UNITS = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000, "w": 604_800_000_000}


def moment(text: str, field: str, now: int) -> int:
    """Parses a time (µs since 1970): a span back from `now` such as `90s`, `5m`, `1h30m` or `2d`, or an ISO 8601 time.
    `field` names it in the error.

    Raises `InvalidError`.
    """
    spans = text.strip().lower()
    if _SPANS.fullmatch(spans):
        span = sum(float(match[1]) * _UNITS[match[2]] for match in _SPAN.finditer(spans))
        if span > _LONGEST:
            raise InvalidError(f"{field}: {text[:40]!r} is longer than a thousand years")
        return now - round(span)
    try:
        return from_iso(text, field)
    except InvalidError:
        raise InvalidError(
            f"{field}: {text!r} is neither a span such as 5m or 2h nor a time such as 2026-01-31T12:00:00Z"
        ) from None
