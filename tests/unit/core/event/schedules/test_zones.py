from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from squall.core.errors import InvalidError
from squall.core.event.schedules.zones import DAY, change_between, clock, day, moments, offset, parse_zone

BERLIN = ZoneInfo("Europe/Berlin")
SPRING = round(datetime.fromisoformat("2026-03-29T03:00:00+02:00").timestamp())
AUTUMN = round(datetime.fromisoformat("2026-10-25T02:00:00+01:00").timestamp())


def test_a_zone_has_a_name_or_is_the_default() -> None:
    assert parse_zone("Asia/Kolkata", "timezone", BERLIN).key == "Asia/Kolkata"
    assert parse_zone(None, "timezone", BERLIN) is BERLIN
    assert parse_zone("", "timezone", BERLIN) is BERLIN


@pytest.mark.parametrize(
    "name", ["Berlin", "/etc/passwd", "..", "a\x00b", "\ud800", "x" * 5000, 5, ["UTC"], "zone.tab"]
)
def test_a_zone_that_does_not_exist_is_refused(name: object) -> None:
    with pytest.raises(InvalidError, match="Use an IANA name"):
        parse_zone(name, "timezone", BERLIN)


def test_a_change_is_found_to_the_second() -> None:
    change = change_between(BERLIN, SPRING - DAY, SPRING)
    assert change is not None
    assert (change.at, clock(change.shows), clock(change.then)) == (SPRING, "02:00", "03:00")
    assert change_between(BERLIN, SPRING, SPRING + DAY) is None
    assert change_between(BERLIN, SPRING - 1, SPRING) == change


def test_a_wall_has_no_one_or_two_moments() -> None:
    skipped = moments(BERLIN, SPRING + 3_600 + 1_800)
    assert skipped.instants == ()
    assert skipped.skipped == change_between(BERLIN, SPRING - 1, SPRING)
    assert moments(BERLIN, SPRING + 7_200).instants == (SPRING,)
    repeated = moments(BERLIN, AUTUMN + 3_600)
    assert repeated.instants == (AUTUMN - 3_600, AUTUMN)
    assert repeated.repeated is not None
    assert repeated.repeated.at == AUTUMN


def test_clocks_and_days_are_written_for_people() -> None:
    wall = SPRING + offset(BERLIN, SPRING)
    assert (day(wall), clock(wall), clock(wall + 5)) == ("2026-03-29", "03:00", "03:00:05")
