"""Times, as packs import them. Standard library only, Python 3.8."""

from __future__ import annotations

import datetime

from .isotime import add_utc_tz, format, parse  # noqa: A004

__all__ = ["add_utc_tz", "append_milliseconds_to_time", "convert_to_utc", "format", "get_datetime_utc_now", "parse"]


def get_datetime_utc_now():
    """Now, in UTC, with its zone."""
    return datetime.datetime.now(datetime.timezone.utc)  # noqa: TID251


def convert_to_utc(dt):
    """The same moment in UTC; a datetime without zone is UTC."""
    return add_utc_tz(dt) if dt.tzinfo is None else dt.astimezone(datetime.timezone.utc)


def append_milliseconds_to_time(dt, number_of_milliseconds):
    """The time so many milliseconds later."""
    return dt + datetime.timedelta(milliseconds=number_of_milliseconds)
