"""Times in events: their many forms, and texts that are none."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.event.rules.moments import MomentError, seconds_since

NOW = 1_700_000_000_000_000  # 2023-11-14T22:13:20Z


@pytest.mark.parametrize(
    "text",
    [
        "2023-11-14T22:13:10Z",
        "2023-11-14T22:13:10.000000Z",
        "2023-11-14 22:13:10",
        "2023-11-14 22:13:10+00:00",
        "2023-11-14T23:13:10+0100",
        "Tue, 14 Nov 2023 22:13:10 GMT",
        "Nov 14 2023 22:13:10",
        "14 November 2023 10:13:10 PM",
        "22:13:10",
    ],
)
def test_a_time_has_an_age_in_seconds(text: str) -> None:
    assert seconds_since(text, NOW) == 10


def test_a_time_to_come_has_a_negative_age() -> None:
    assert seconds_since("2023-11-14T22:13:21.5Z", NOW) == -1.5


@pytest.mark.parametrize("value", ["", "x", "9" * 20, "9" * 5000, "2023-13-14", "1e999999999", 5, None, [], True])
def test_a_value_that_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(MomentError, match="2026-01-31T12:00:00Z"):
        seconds_since(value, NOW)
