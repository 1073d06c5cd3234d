from __future__ import annotations

import pytest

from squall.core.errors import InvalidError
from squall.core.timespan import moment


@pytest.mark.parametrize("text", ["9" * 21 + "d", "9" * 400 + "d", "9" * 400 + ".5s 1s", "1001000w"])
def test_a_span_beyond_all_times_is_refused(text: str) -> None:
    with pytest.raises(InvalidError):
        moment(text, "since", 0)


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [("90s", 90_000_000), ("1h30m", 5_400_000_000), (" 1h  30m ", 5_400_000_000), ("1.5 s", 1_500_000), ("5ms", 5000)],
)
def test_spans_add_up(text: str, microseconds: int) -> None:
    assert moment(text, "since", 10**15) == 10**15 - microseconds


@pytest.mark.parametrize("text", ["9" * 30_000, "1." * 15_000, "1 " * 15_000, "1m" * 15_000 + "x", " " * 30_000])
def test_a_long_text_that_is_no_span_is_refused_after_one_pass(text: str) -> None:
    # A search that starts again at each digit would take half a minute.
    with pytest.raises(InvalidError, match="neither a span"):
        moment(text, "since", 0)
