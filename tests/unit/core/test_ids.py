"""Ids."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squall.core.ids import is_id, make_id, time_of

TIME = st.integers(0, (1 << 32) * 1_000_000 - 1)
RANDOM = st.binary(min_size=6, max_size=6)


@given(TIME, RANDOM)
def test_an_id_is_an_id(microseconds: int, random_bytes: bytes) -> None:
    assert is_id(make_id(microseconds, random_bytes))


@given(TIME, TIME, RANDOM, RANDOM)
def test_ids_are_ordered_by_time(first: int, second: int, one: bytes, other: bytes) -> None:
    if second - first >= 16:
        assert make_id(first, one) < make_id(second, other)


def test_an_id_begins_with_its_second() -> None:
    assert make_id(1_767_268_800_500_000, bytes(6)) == "695661c0" + "8000" + "0" * 12


@pytest.mark.parametrize(
    "text", ["", "last", "0" * 23, "0" * 25, "A" * 24, "g" * 24, "../" * 8, "0" * 24 + "\n", "٠" * 24]
)
def test_nothing_else_is_an_id(text: str) -> None:
    assert not is_id(text)


def test_an_id_tells_the_time_for_which_it_was_made() -> None:
    for microseconds in (0, 1_500_000, 1_767_268_800_250_000):
        assert 0 <= microseconds - time_of(make_id(microseconds, bytes(6))) < 16
