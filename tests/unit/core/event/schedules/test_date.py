from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from squall.core.errors import InvalidError
from squall.core.event.schedules.date import DateTimer, parse_date
from squall.core.event.schedules.fire import SECOND

NOW = round(datetime(2026, 5, 4, 12, 0, tzinfo=UTC).timestamp()) * SECOND
BERLIN = ZoneInfo("Europe/Berlin")


def timer(value: object, zone: str | None = None) -> DateTimer:
    return parse_date({"date": value, "timezone": zone}, NOW, BERLIN)


@pytest.mark.parametrize(
    ("value", "zone", "local"),
    [
        ("2026-12-24 18:00", None, "2026-12-24T18:00:00+01:00"),
        ("2026-12-24 18:00", "Asia/Kolkata", "2026-12-24T18:00:00+05:30"),
        ("2026-12-24T18:00:00Z", None, "2026-12-24T19:00:00+01:00"),
        ("2026-12-24T18:00:00.25-03:00", "UTC", "2026-12-24T21:00:00.250000+00:00"),
        ("24 Dec 2026 6pm", None, "2026-12-24T18:00:00+01:00"),
        ("Thu, 24 Dec 2026 18:00:00 GMT", None, "2026-12-24T19:00:00+01:00"),
        ("20261224", None, "2026-12-24T00:00:00+01:00"),
        ("10:30", None, "2026-05-04T10:30:00+02:00"),
        ("2026-07-01 10:00:00.5", None, "2026-07-01T10:00:00.500000+02:00"),
        (date(2026, 7, 1), None, "2026-07-01T00:00:00+02:00"),
        (datetime(2026, 7, 1, 10, 0), None, "2026-07-01T10:00:00+02:00"),
    ],
)
def test_a_date_in_any_common_format_is_one_fire(value: object, zone: str | None, local: str) -> None:
    schedule = timer(value, zone)
    assert [(each.local, each.note) for each in schedule.fires(0)] == [(local, "")]
    assert list(schedule.fires(schedule.at)) == []
    assert [each.at for each in schedule.fires(schedule.at - 1)] == [schedule.at]


def test_a_skipped_date_fires_where_the_clock_goes_on_and_says_so() -> None:
    (only,) = timer("2026-03-29 02:30").fires(0)
    assert only.local == "2026-03-29T03:00:00+02:00"
    assert only.note == (
        "02:30 does not exist on 2026-03-29: the clock goes from 02:00 to 03:00. The fire is at 03:00."
    )


def test_a_date_that_comes_twice_fires_first_and_says_so() -> None:
    (only,) = timer("2026-10-25 02:30").fires(0)
    assert only.local == "2026-10-25T02:30:00+02:00"
    assert only.note == "02:30 comes twice on 2026-10-25. The fire is at the first."


@pytest.mark.parametrize(
    "value",
    [
        None, "", "  ", "soon", "2026-02-30", "2026-13-01", "2026-01-01 25:00", "1969-12-31T00:00:00Z", "9999-06-01",
        "2026-01-01 10:00 EST", "1" * 50, "9" * 200, 5, True, ["2026-01-01"], "\x00", "2026-01-01T00:00:00+99:99",
        "99999999999999999999-01-01", "0/0/0", "1e500", "nan",
    ],
)  # fmt: skip
def test_a_wrong_date_is_refused(value: object) -> None:
    with pytest.raises(InvalidError) as error:
        timer(value)
    assert str(error.value).startswith("date: ")
    assert "2026-12-31" in str(error.value)


def test_a_wrong_zone_is_refused_by_its_field() -> None:
    with pytest.raises(InvalidError, match="timezone: 'CEST!' is not a time zone"):
        timer("2026-01-01", "CEST!")
