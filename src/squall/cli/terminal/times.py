"""Times for people: the age of a moment in words, or its local time."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def exact(stamp: Any) -> str:
    """Returns a server's time stamp in UTC to the second, such as `2026-01-31 12:00:00`; "" for nothing."""
    return str(stamp or "")[:19].replace("T", " ")


def ago(stamp: Any, now: float | None = None) -> str:
    """Returns a server's time stamp as `5 s ago`, `2 min ago`, `3 h ago`, or its local date and time if it is a day
    old.

    `now` is in seconds since 1970. Returns a text that is no time stamp unchanged.
    """
    try:
        moment = datetime.fromisoformat(str(stamp).replace("Z", "+00:00"))
    except ValueError:
        return str(stamp or "")
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    seconds = (time.time() if now is None else now) - moment.timestamp()
    # The clocks of two machines may differ by a second or two.
    if -2 < seconds < _MINUTE:
        return f"{max(0, int(seconds))} s ago"
    if 0 <= seconds < _HOUR:
        return f"{int(seconds) // _MINUTE} min ago"
    if 0 <= seconds < _DAY:
        return f"{int(seconds) // _HOUR} h ago"
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")
