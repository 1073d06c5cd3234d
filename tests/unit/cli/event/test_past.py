"""Times of the past in the arguments of commands."""

from __future__ import annotations

import pytest

from squall.cli.event.past import past_time
from squall.core.errors import InvalidError


def test_a_span_is_one_before_now_and_a_time_stays() -> None:
    assert past_time("2026-01-31T12:00:00Z", "--from") == "2026-01-31T12:00:00.000000Z"
    assert past_time("2h ago", "--from") < past_time("1h", "--from") < past_time("0s", "--from")


def test_a_text_that_is_neither_is_refused_with_the_option() -> None:
    with pytest.raises(InvalidError, match="--from: 'yesterday' is neither a span"):
        past_time("yesterday", "--from")
