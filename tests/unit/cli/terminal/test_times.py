"""Moments for people."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from squall.cli.terminal.times import ago, exact

STAMP = "2026-01-31T12:00:00.250000Z"
MOMENT = datetime(2026, 1, 31, 12, 0, 0, 250_000, UTC).timestamp()


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(-1, "0 s ago"), (0, "0 s ago"), (59.9, "59 s ago"), (60, "1 min ago"), (3599, "59 min ago"), (7200, "2 h ago")],
)
def test_what_was_today_is_told_by_how_long_ago(seconds: float, expected: str) -> None:
    assert ago(STAMP, MOMENT + seconds) == expected


@pytest.mark.parametrize("seconds", [-60, 86_400, 1e8])
def test_other_days_and_the_future_are_local_times(seconds: float) -> None:
    assert ago(STAMP, MOMENT + seconds) == datetime.fromtimestamp(MOMENT).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(("stamp", "expected"), [(None, ""), ("", ""), ("soon", "soon")])
def test_what_is_no_time_stays_as_it_is(stamp: str | None, expected: str) -> None:
    assert ago(stamp) == expected


def test_the_exact_time_is_utc_to_the_second() -> None:
    assert exact(STAMP) == "2026-01-31 12:00:00" and exact(None) == ""
