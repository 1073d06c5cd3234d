"""The expressions in the fields of cron timers: `*`, `*/5`, `1-5`, `8-18/2`, `mon-fri`, `2nd tue`, `last`, and lists.

A reader takes one expression of a list and returns what it selects, or None if the expression has another form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, NoReturn

from squall.core.errors import InvalidError
from squall.core.event.schedules.calendar import FIRST_YEAR, LAST, Place
from squall.core.event.schedules.quoting import quoted

MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
WEEKDAYS: Final = {name: number for number, name in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))}
_ORDINALS: Final = {"1st": 1, "2nd": 2, "3rd": 3, "4th": 4, "5th": 5, "last": LAST}

_RANGE: Final = re.compile(r"(?:\*|(\w+)(?:-(\w+))?)(?:/([0-9]+))?", re.ASCII)
_PLACE: Final = re.compile(rf"({'|'.join(_ORDINALS)}) +(\w+)", re.ASCII)
_LIST: Final = re.compile(" *, *")
_LONGEST: Final = 1_000
"""The characters of a field, and the digits of a number."""


class Kind(NamedTuple):
    """What a field may contain: numbers from `first` to `last`, and `names` that stand for some.

    `allowed` describes it in messages. `wide_steps` allows a step that is larger than the field or its range.
    """

    name: str
    first: int
    last: int
    names: Mapping[str, int]
    allowed: str
    wide_steps: bool = False


class Selected(NamedTuple):
    """What a field selects: `ranges` of numbers and `places` of days. `star`: it begins with `*`."""

    ranges: tuple[range, ...]
    places: tuple[Place, ...]
    star: bool

    def numbers(self) -> Sequence[int]:
        """Returns the numbers in ascending order."""
        if len(self.ranges) == 1:
            return self.ranges[0]
        return tuple(sorted({number for numbers in self.ranges for number in numbers}))


FIELDS: Final = {
    kind.name: kind
    for kind in (
        Kind("year", FIRST_YEAR, 9999, {}, "1970 to 9999"),
        Kind("month", 1, 12, MONTHS, "1 to 12 or jan to dec"),
        Kind("day", 1, 31, {}, "1 to 31, last, and days such as 2nd tue or last fri"),
        Kind("week", 1, 53, {}, "1 to 53"),
        Kind("day_of_week", 0, 6, WEEKDAYS, "0 (Monday) to 6 or mon to sun"),
        Kind("hour", 0, 23, {}, "0 to 23"),
        Kind("minute", 0, 59, {}, "0 to 59"),
        Kind("second", 0, 59, {}, "0 to 59"),
    )
}
"""The fields of a `core.st2.CronTimer`, the most significant first."""


def parse_field(kind: Kind, value: object) -> Selected:
    """Reads the value of a field: a number, or a text with expressions and commas between them.

    Raises `InvalidError`, which names the field and what it allows.
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        refuse(kind, value)
    text = str(value).strip().lower() if isinstance(value, str) or abs(value) < 10**6 else ""
    if not text or len(text) > _LONGEST:
        refuse(kind, value)
    ranges: list[range] = []
    places: list[Place] = []
    for expression in _LIST.split(text):
        place = _place(expression) if kind.name == "day" else None
        if place is not None:
            places.append(place)
        else:
            ranges.append(parse_range(kind, expression))
    return Selected(tuple(ranges), tuple(places), text.startswith("*"))


def parse_range(kind: Kind, expression: str) -> range:
    """Reads `*`, `a`, `a-b` and names instead of numbers, each with a step such as `/2` or without.

    `a/2` goes from a to the end of the field. Raises `InvalidError`.
    """
    match = _RANGE.fullmatch(expression)
    if match is None:
        refuse(kind, expression)
    first = kind.first if match[1] is None else _number(kind, expression, match[1])
    last = kind.last if match[1] is None or (match[2] is None and match[3]) else first
    last = last if match[2] is None else _number(kind, expression, match[2])
    step = int(match[3][:6]) if match[3] else 1
    if first > last:
        refuse(kind, expression, f"{match[1]} comes after {match[2]}")
    if step < 1:
        refuse(kind, expression, "a step is at least 1")
    if match[3] and step > last - first and not kind.wide_steps:
        refuse(kind, expression, f"the step {match[3][:6]} is larger than the range from {first} to {last}")
    return range(first, last + 1, step)


def refuse(kind: Kind, value: object, reason: str = "") -> NoReturn:
    """Raises `InvalidError` for a value of a field, with the `reason` and what the field allows."""
    because = f" ({reason})" if reason else ""
    raise InvalidError(
        f"{kind.name}: {quoted(value)} is not valid{because}. Use {kind.allowed}, as *, a, a-b, */n or a-b/n, or a "
        f"list of these with commas."
    )


def _number(kind: Kind, expression: str, text: str) -> int:
    number = kind.names.get(text, -1)
    if number < 0 and text.isdigit():
        number = int(text[:6])
    if not kind.first <= number <= kind.last:
        refuse(kind, expression)
    return number


def _place(expression: str) -> Place | None:
    if expression == "last":
        return Place(LAST)
    match = _PLACE.fullmatch(expression)
    if match is None or match[2] not in WEEKDAYS:
        return None
    return Place(_ORDINALS[match[1]], WEEKDAYS[match[2]])
