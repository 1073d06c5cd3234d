"""Times of the past in the arguments of commands."""

from __future__ import annotations

import time

from squall.core.timespan import moment
from squall.core.timestamp import to_iso


def past_time(text: str, option: str) -> str:
    """Returns a time (ISO 8601) that is given as such, or as a span before now such as `2h ago`. Raises `InvalidError`,
    which names the `option`."""
    return to_iso(moment(text.removesuffix(" ago"), option, time.time_ns() // 1000))
