"""Times as StackStorm writes them: ISO 8601 in UTC, with `Z`. Standard library only, Python 3.8."""

from __future__ import annotations

import datetime
import re

__all__ = ["add_utc_tz", "format", "parse", "validate"]

_FORM = re.compile(
    r"^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6})\d*)?)?(Z|[+-]\d\d:?\d\d|[+-]\d\d)?$"
)


def add_utc_tz(dt):
    """The same time, said to be UTC."""
    return dt.replace(tzinfo=datetime.timezone.utc)


def format(dt, usec=True, offset=True):
    """A datetime, or a number of seconds since 1970, as text; a datetime without zone is UTC."""
    if isinstance(dt, (int, float)):
        dt = datetime.datetime.fromtimestamp(dt, datetime.timezone.utc)
    dt = add_utc_tz(dt) if dt.tzinfo is None else dt.astimezone(datetime.timezone.utc)
    text = dt.strftime("%Y-%m-%dT%H:%M:%S")
    return text + (".%06d" % dt.microsecond if usec else "") + ("Z" if offset else "")


def validate(value, raise_exception=True):
    """Whether this is a time; a text is parsed. Raises `ValueError` if it is none and `raise_exception`."""
    if isinstance(value, datetime.datetime) or _FORM.match(str(value)):
        return True
    if raise_exception:
        raise ValueError("Invalid value for ISO date and time: %s" % value)
    return False


def parse(value, preserve_original_tz=False):
    """The datetime in a text, in UTC unless its own zone is to be kept; no zone is UTC. Raises `ValueError`."""
    validate(value)
    if isinstance(value, datetime.datetime):
        dt = value
    else:
        year, month, day, hour, minute, second, fraction, zone = _FORM.match(str(value)).groups()
        numbers = [int(each or 0) for each in (year, month, day, hour, minute, second)]
        dt = datetime.datetime(*numbers, int((fraction or "").ljust(6, "0")), tzinfo=_zone(zone))
    if dt.tzinfo is None:
        return add_utc_tz(dt)
    return dt if preserve_original_tz else dt.astimezone(datetime.timezone.utc)


def _zone(text):
    if text is None or text == "Z":
        return datetime.timezone.utc
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = datetime.timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return datetime.timezone(-offset if text[0] == "-" else offset)
