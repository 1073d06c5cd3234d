"""Times: integers of microseconds since 1970, UTC, everywhere inside; ISO 8601 with six digits and `Z` at the edge."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from squall.core.errors import InvalidError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO = re.compile(r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?)?$")


def to_iso(microseconds: int) -> str:
    """Writes `microseconds` since 1970 as `2026-11-23T19:34:27.487357Z`, the form of StackStorm's API."""
    moment = _EPOCH + timedelta(microseconds=microseconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond:06d}Z"


def from_iso(text: str, field: str) -> int:
    """Parses an ISO 8601 text into microseconds since 1970; without a zone it is UTC. `field` names it in the error.

    Raises `InvalidError` with StackStorm's wording if the text is not such a time.
    """
    # A `+` in a query string arrives as a space: a space in front of a zone is such a `+`.
    candidate = text.strip()
    if "T" in candidate or candidate.count(" ") > 1:
        candidate = re.sub(r" (\d\d:?\d\d)$", r"+\1", candidate)
    if not _ISO.match(candidate):
        raise InvalidError(
            f"Datetime value does not match expected format. ({field}={text!r}; use 2026-01-31T12:00:00Z)"
        )
    try:
        moment = datetime.fromisoformat(candidate)
    except ValueError as error:
        raise InvalidError(f"Datetime value does not match expected format. ({field}: {error})") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)
