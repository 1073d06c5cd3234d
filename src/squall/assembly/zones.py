"""The time zone of the server, which applies to timers that name none."""

from __future__ import annotations

import os
from pathlib import Path
from zoneinfo import ZoneInfo

from squall.core.errors import ConfigError, InvalidError
from squall.core.event.schedules.zones import parse_zone

_UTC = ZoneInfo("UTC")


def server_zone(name: str, localtime: Path = Path("/etc/localtime")) -> ZoneInfo:
    """Returns the zone with an IANA `name`; if that is empty, the machine's zone: that of the variable TZ, or of
    the link `localtime`, or UTC. Raises `ConfigError`."""
    if name:
        try:
            return parse_zone(name, "timers.timezone", _UTC)
        except InvalidError as error:
            raise ConfigError(str(error)) from error
    for candidate in (os.environ.get("TZ", "").lstrip(":"), _linked(localtime)):
        if candidate:
            try:
                return parse_zone(candidate, "TZ", _UTC)
            except InvalidError:
                continue
    return _UTC


def _linked(localtime: Path) -> str:
    """Returns the name of the zone that a link such as `/etc/localtime` points to; empty if it is no such link."""
    try:
        target = str(localtime.readlink())
    except OSError:
        return ""
    return target.partition("zoneinfo/")[2]
