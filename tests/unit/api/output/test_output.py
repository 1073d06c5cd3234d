from __future__ import annotations

import pytest

from squall.api.output.selection import streams_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, None), ("all", None), ("stdout", {1}), ("stderr", {2}), ("output", {3}), ("other", {3}), ("bogus", set())],
)
def test_types_and_their_streams(text: str | None, expected: set[int] | None) -> None:
    assert streams_of(text) == expected
