"""Crontab lines: `*/5 * * * *`, with a field for seconds in front if there are six, and names such as `@daily`."""

from __future__ import annotations

import re
from typing import Final

from squall.core.errors import InvalidError
from squall.core.event.schedules.calendar import LAST, Dates, Place, Times
from squall.core.event.schedules.expressions import MONTHS, Kind, Selected, parse_range, refuse
from squall.core.event.schedules.quoting import quoted

_NAMES: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_WEEKDAYS: Final = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_KINDS: Final = (
    Kind("cron, second", 0, 59, {}, "0 to 59", wide_steps=True),
    Kind("cron, minute", 0, 59, {}, "0 to 59", wide_steps=True),
    Kind("cron, hour", 0, 23, {}, "0 to 23", wide_steps=True),
    Kind("cron, day of the month", 1, 31, {}, "1 to 31, L (the last day) and LW (the last workday)", wide_steps=True),
    Kind("cron, month", 1, 12, MONTHS, "1 to 12 or jan to dec", wide_steps=True),
    Kind("cron, day of the week", 0, 7, _WEEKDAYS, "0 or 7 (Sunday) to 6 or sun to sat, 5#2 and 5L", wide_steps=True),
)
_NTH: Final = re.compile(r"([0-7]|[a-z]{3})(?:#([1-5])|l)", re.ASCII)
_LONGEST: Final = 1_000


def parse_line(line: object) -> tuple[Dates, Times, bool]:
    """Reads a crontab line of five fields, of six with the seconds in front, or a name such as `@daily`.

    Returns the dates, the times, and whether the line follows real time (`CronTimer`). Raises `InvalidError`, which
    names the field and what it allows.
    """
    text = line.strip().lower() if isinstance(line, str) and len(line) <= _LONGEST else ""
    words = _NAMES.get(text, text).split()
    if len(words) not in (5, 6):
        raise InvalidError(
            f"cron: {quoted(line)} is not a crontab line. Use five fields (minute, hour, day of the month, month, day "
            f"of the week), six with the seconds in front, or one of: {', '.join(_NAMES)}."
        )
    words = ["0", *words] if len(words) == 5 else words
    seconds, minutes, hours, days, months, weekdays = (
        _parse_field(kind, word) for kind, word in zip(_KINDS, words, strict=True)
    )
    monday_first = sorted({(number - 1) % 7 for number in weekdays.numbers()})
    dates = Dates(
        years=None,
        months=months.numbers(),
        days=days.numbers(),
        places=days.places,
        weeks=None,
        weekdays=tuple(monday_first),
        weekday_places=weekdays.places,
        either=not words[3].startswith("*") and not words[5].startswith("*"),
    )
    times = Times(hours.numbers(), minutes.numbers(), seconds.numbers())
    return dates, times, seconds.star or minutes.star or hours.star


def _parse_field(kind: Kind, text: str) -> Selected:
    ranges: list[range] = []
    places: list[Place] = []
    for part in text.split(","):
        place = _place(kind, part)
        if place is not None:
            places.append(place)
        else:
            # Sunday ends a week in ranges such as fri-sun, and begins one in sun-tue.
            ranges.append(parse_range(kind, part.replace("-sun", "-7") if kind.last == 7 else part))
    return Selected(tuple(ranges), tuple(places), text.startswith("*"))


def _place(kind: Kind, text: str) -> Place | None:
    if kind.last == 31 and text in ("l", "lw"):
        return Place(LAST, workday=text == "lw")
    match = _NTH.fullmatch(text) if kind.last == 7 else None
    if match is None:
        return None
    if match[1].isalpha() and match[1] not in _WEEKDAYS:
        refuse(kind, text)
    number = int(match[1]) if match[1].isdigit() else _WEEKDAYS[match[1]]
    return Place(int(match[2]) if match[2] else LAST, (number - 1) % 7)
