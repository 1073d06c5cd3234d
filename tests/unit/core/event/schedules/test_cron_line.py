from __future__ import annotations

from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from squall.core.errors import InvalidError
from squall.core.event.schedules.cron import parse_cron
from squall.core.event.schedules.fire import SECOND

START = 1_767_225_600 * SECOND
"""2026-01-01, a Thursday."""


def locals_of(line: str, count: int) -> list[str]:
    timer = parse_cron({"cron": line}, ZoneInfo("UTC"))
    return [each.local.removesuffix("+00:00") for each in islice(timer.fires(START), count)]


@pytest.mark.parametrize(
    ("line", "times"),
    [
        ("*/20 * * * *", ["2026-01-01T00:20:00", "2026-01-01T00:40:00"]),
        ("*/60 * * * *", ["2026-01-01T01:00:00", "2026-01-01T02:00:00"]),
        ("5/25 3 * * *", ["2026-01-01T03:05:00", "2026-01-01T03:30:00", "2026-01-01T03:55:00"]),
        ("0 9-17/4 * * *", ["2026-01-01T09:00:00", "2026-01-01T13:00:00", "2026-01-01T17:00:00"]),
        ("*/30 0 0 * * *", ["2026-01-01T00:00:30", "2026-01-02T00:00:00"]),
        ("0 0 * * 0", ["2026-01-04T00:00:00"]),
        ("0 0 * * 7", ["2026-01-04T00:00:00"]),
        ("0 0 * * SUN", ["2026-01-04T00:00:00"]),
        (
            "0 0 * * fri-sun",
            ["2026-01-02T00:00:00", "2026-01-03T00:00:00", "2026-01-04T00:00:00", "2026-01-09T00:00:00"],
        ),
        (
            "0 0 * * sun-tue",
            ["2026-01-04T00:00:00", "2026-01-05T00:00:00", "2026-01-06T00:00:00", "2026-01-11T00:00:00"],
        ),
        # Both days restricted: either may fit. With a star, both must.
        ("0 0 13 * fri", ["2026-01-02T00:00:00", "2026-01-09T00:00:00", "2026-01-13T00:00:00"]),
        ("0 0 */13 * fri", ["2026-02-27T00:00:00", "2026-03-27T00:00:00"]),
        ("0 0 L * *", ["2026-01-31T00:00:00", "2026-02-28T00:00:00"]),
        ("0 0 LW * *", ["2026-01-30T00:00:00", "2026-02-27T00:00:00"]),
        ("0 0 * * 5#2", ["2026-01-09T00:00:00", "2026-02-13T00:00:00"]),
        ("0 0 * * fril", ["2026-01-30T00:00:00", "2026-02-27T00:00:00"]),
        ("0 0 1 jan,jul *", ["2026-07-01T00:00:00", "2027-01-01T00:00:00"]),
        ("@hourly", ["2026-01-01T01:00:00"]),
        ("@daily", ["2026-01-02T00:00:00"]),
        ("@midnight", ["2026-01-02T00:00:00"]),
        ("@weekly", ["2026-01-04T00:00:00"]),
        ("@monthly", ["2026-02-01T00:00:00"]),
        (" @Yearly ", ["2027-01-01T00:00:00"]),
        ("@annually", ["2027-01-01T00:00:00"]),
    ],
)
def test_a_line_selects_times(line: str, times: list[str]) -> None:
    assert locals_of(line, len(times)) == times


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("* * * *", "cron: '* * * *' is not a crontab line"),
        ("* * * * * * *", "cron: '* * * * * * *' is not a crontab line"),
        ("@reboot", "cron: '@reboot' is not a crontab line"),
        ("", "cron: '' is not a crontab line"),
        (5, "cron: 5 is not a crontab line"),
        ("* " * 10_000, "cron: "),
        ("60 * * * *", "cron, minute: '60' is not valid. Use 0 to 59"),
        ("* 24 * * *", "cron, hour: '24'"),
        ("* * 0 * *", "cron, day of the month: '0'"),
        ("* * * 13 *", "cron, month: '13'"),
        ("* * * * 8", "cron, day of the week: '8'"),
        ("* * * * xyz#2", "cron, day of the week: 'xyz#2'"),
        ("*/0 * * * *", "cron, minute: '*/0' is not valid (a step is at least 1)"),
        ("30-10 * * * *", "cron, minute: '30-10' is not valid (30 comes after 10)"),
        ("1,,2 * * * *", "cron, minute: ''"),
        ("60 * * * * *", "cron, second: '60'"),
        ("* * ? * *", "cron, day of the month: '?'"),
        ("٣ * * * *", "cron, minute: "),
    ],
)
def test_a_wrong_line_is_refused_by_field(line: str, message: str) -> None:
    with pytest.raises(InvalidError) as error:
        parse_cron({"cron": line}, ZoneInfo("UTC"))
    assert str(error.value).startswith(message)
