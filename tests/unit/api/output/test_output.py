from __future__ import annotations

import pytest

from squall.api.output.output_lines import position_of
from squall.api.output.selection import streams_of
from squall.core.errors import InvalidError


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, None), ("all", None), ("stdout", {1}), ("stderr", {2}), ("output", {3}), ("other", {3}), ("bogus", set())],
)
def test_types_and_their_streams(text: str | None, expected: set[int] | None) -> None:
    assert streams_of(text) == expected


def test_a_position_is_read_and_an_error_names_where_it_was_given() -> None:
    assert position_of("f-4096", "after") == 4096
    for text in ("4096", "f-", "f--1", "n-1", "f-1.5", "f-" + "9" * 40):
        with pytest.raises(InvalidError, match=r"^after: "):
            position_of(text, "after")
