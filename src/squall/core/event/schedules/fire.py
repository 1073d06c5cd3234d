"""A fire: one moment at which a timer is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

SECOND: Final = 1_000_000
"""Microseconds of a second."""

LATEST: Final = 253_370_764_800 * SECOND
"""The end of the year 9998 (µs since 1970). No timer fires later, because local times after it cannot be written."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Fire(msgspec.Struct, frozen=True):
    """One fire of a timer.

    `at` is its nominal time (µs since 1970, UTC); a schedule has at most one fire for each. `local` is the same time in
    the schedule's zone, such as `2026-03-29T03:00:00+02:00`. `note` says how a change of the clock moved, merged, left
    out or repeated times; it is empty for all other fires.
    """

    at: int
    local: str
    note: str = ""


def fire(at: int, zone: ZoneInfo, note: str = "") -> Fire:
    """Returns the fire at the nominal time `at` (µs since 1970, at most `LATEST`)."""
    return Fire(at, (_EPOCH + timedelta(microseconds=at)).astimezone(zone).isoformat(), note)
