from __future__ import annotations

import pytest

from squall.core.errors import InvalidError
from squall.core.event.schedules.calendar import LAST, Place
from squall.core.event.schedules.expressions import FIELDS, parse_field


@pytest.mark.parametrize(
    ("field", "value", "numbers"),
    [
        ("hour", 5, [5]),
        ("hour", " 5 ", [5]),
        ("hour", "05", [5]),
        ("hour", "*/6", [0, 6, 12, 18]),
        ("hour", "20/2", [20, 22]),
        ("hour", "8-12/2", [8, 10, 12]),
        ("hour", "1,3 , 2,3", [1, 2, 3]),
        ("day", "*/10", [1, 11, 21, 31]),
        ("month", "Jan,mar-MAY", [1, 3, 4, 5]),
        ("month", "jan-jul/3", [1, 4, 7]),
        ("day_of_week", "mon-fri", [0, 1, 2, 3, 4]),
        ("day_of_week", "6", [6]),
        ("week", "*/26", [1, 27, 53]),
    ],
)
def test_expressions_select_numbers(field: str, value: object, numbers: list[int]) -> None:
    assert list(parse_field(FIELDS[field], value).numbers()) == numbers


@pytest.mark.parametrize(
    ("value", "places"),
    [
        ("last", (Place(LAST),)),
        ("LAST fri", (Place(LAST, 4),)),
        ("1st mon, 3rd  wed", (Place(1, 0), Place(3, 2))),
    ],
)
def test_days_can_be_places_in_the_month(value: str, places: tuple[Place, ...]) -> None:
    assert parse_field(FIELDS["day"], value).places == places


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("hour", True, ""),
        ("hour", 1.5, ""),
        ("hour", [1], ""),
        ("hour", "", ""),
        ("hour", -1, ""),
        ("hour", 24, ""),
        pytest.param("hour", 10**5000, "", id="a number of 5001 digits"),
        pytest.param("hour", [10**5000], "", id="a list with one"),
        ("hour", "9" * 900, ""),
        ("hour", "1" * 5000, ""),
        ("hour", "1,,2", ""),
        ("hour", "1-", ""),
        ("hour", "12-3", "12 comes after 3"),
        ("hour", "*/0", "a step is at least 1"),
        ("hour", "*/24", "the step 24 is larger than the range from 0 to 23"),
        ("hour", "5-8/4", "the step 4 is larger than the range from 5 to 8"),
        ("minute", "last", ""),
        ("month", "foo", ""),
        ("month", "mar-jan", "mar comes after jan"),
        ("day_of_week", 7, ""),
        ("day_of_week", "monday", ""),
        ("day", "6th mon", ""),
        ("day", "2nd foo", ""),
        ("day", 32, ""),
        ("week", 54, ""),
        ("year", 1969, ""),
        ("second", "*\n/5", ""),
    ],
)
def test_a_wrong_expression_is_refused_with_what_the_field_allows(field: str, value: object, reason: str) -> None:
    with pytest.raises(InvalidError) as error:
        parse_field(FIELDS[field], value)
    message = str(error.value)
    assert message.startswith(f"{field}: ")
    assert FIELDS[field].allowed in message
    assert reason in message
    assert len(message) < 500
