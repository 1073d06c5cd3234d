from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squall.api.output.tails import Place, event_frame, parse_place, patterns_of
from squall.core.errors import InvalidError
from squall.core.event.events import DEFAULT_PATTERNS


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 10**4))
def test_an_id_is_read_back_as_it_was(row: int, position: int, skip: int) -> None:
    place = Place(row, position, skip)
    assert parse_place(place.token().decode()) == place


@pytest.mark.parametrize(
    "token",
    ["", "7", "7.", "7.f", "x.f-1", "-1.f-1", "7.f-x", "7.n-1", "7.f-1~x", "7.f-1~-1", f"{'9' * 30}.f-1", "٣.f-1"],
)
def test_what_is_no_id_is_refused(token: str) -> None:
    with pytest.raises(InvalidError, match="Last-Event-ID"):
        parse_place(token)


def test_a_frame_is_one_event_on_one_line() -> None:
    name, data, *rest = event_frame("some.event", {"text": "a\nb"}).decode().split("\n")
    assert (name, rest) == ("event: some.event", ["", ""])
    assert json.loads(data.removeprefix("data: ")) == {"text": "a\nb"}


def test_without_names_the_default_is_asked_for_which_has_no_output() -> None:
    assert patterns_of(None) == patterns_of([]) == DEFAULT_PATTERNS
    assert patterns_of(["a*"]) == ("a*",)
    assert not any("output" in pattern for pattern in DEFAULT_PATTERNS)
