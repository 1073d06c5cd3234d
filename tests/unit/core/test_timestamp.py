"""Times at the edge."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squall.core.errors import InvalidError
from squall.core.timestamp import from_iso, to_iso

NOON = 1_767_268_800_000_000


@given(st.integers(0, 4 * 10**15))
def test_a_time_comes_back_from_its_text(microseconds: int) -> None:
    assert from_iso(to_iso(microseconds), "t") == microseconds


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (NOON + 1, "2026-01-01T12:00:00.000001Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
    ],
)
def test_a_time_has_six_digits_and_a_z(microseconds: int, text: str) -> None:
    assert to_iso(microseconds) == text


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T12:00:00Z",
        "2026-01-01T12:00:00.000000Z",
        "2026-01-01T12:00:00.0Z",
        "2026-01-01T12:00Z",
        "2026-01-01T12:00:00",
        "2026-01-01 12:00:00",
        " 2026-01-01T12:00:00Z ",
        "2026-01-01T13:00:00+01:00",
        "2026-01-01T13:00:00+0100",
        "2026-01-01T13:00:00 01:00",
        "2026-01-01T13:00:00 0100",
        "2026-01-01T06:30:00-05:30",
    ],
)
def test_the_usual_forms_are_understood_a_plus_also_as_the_space_it_becomes_in_a_query(text: str) -> None:
    assert from_iso(text, "t") == NOON


def test_a_date_is_its_midnight() -> None:
    assert from_iso("2026-01-01", "t") == NOON - 12 * 3600 * 1_000_000


@pytest.mark.parametrize(
    "text",
    ["", "now", "12:00", "2026-13-01", "2026-02-30", "2026-01-01T25:00", "2026-1-1", "1767268800", "2026-01-01T12Z"],
)
def test_any_other_text_is_refused_with_the_fields_name(text: str) -> None:
    with pytest.raises(InvalidError, match=r"does not match expected format.*timestamp_gt"):
        from_iso(text, "timestamp_gt")
