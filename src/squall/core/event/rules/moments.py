"""Times in events, as `timediff_lt` and `timediff_gt` read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST = 100


class MomentError(ValueError):
    """A value is no time. The message is for the author of the rule."""


def seconds_since(value: Any, now: int) -> float:
    """Returns the seconds from the time `value` to `now` (µs since 1970); negative if the time is still to come.

    A time without a zone is in UTC. Raises `MomentError`.
    """
    if not isinstance(value, str):
        raise MomentError(f"the value {value!r:.60} is not a text with a time, such as 2026-01-31T12:00:00Z")
    present = _EPOCH + timedelta(microseconds=now)
    try:
        moment = _parsed(value, present)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return (present - moment).total_seconds()
    except (ValueError, TypeError, AttributeError, ArithmeticError, LookupError):
        raise MomentError(f"the value {value!r:.60} is not a time, such as 2026-01-31T12:00:00Z") from None


def _parsed(text: str, present: datetime) -> datetime:
    """Reads a time in ISO 8601, or in one of the many other forms that StackStorm reads."""
    if len(text) > _LONGEST:
        raise ValueError("too long for a time")
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        # The import takes long, and most times are in ISO 8601.
        from dateutil.parser import parse

        midnight = present.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        parsed: datetime = parse(text, default=midnight, tzinfos=_zone)
        return parsed


def _zone(_name: str | None, offset: int | None) -> tzinfo | int:
    """Returns a zone by its offset (s). The library would ask the machine for the names of its own zone."""
    return UTC if offset is None else offset
