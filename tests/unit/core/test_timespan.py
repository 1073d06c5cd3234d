from __future__ import annotations

import pytest

from squall.core.errors import InvalidError
from squall.core.timespan import moment


@pytest.mark.parametrize("text", ["9" * 21 + "d", "9" * 400 + "d", "9" * 400 + ".5s 1s", "1001000w"])
def test_a_span_beyond_all_times_is_refused(text: str) -> None:
    with pytest.raises(InvalidError):
        moment(text, "since", 0)
