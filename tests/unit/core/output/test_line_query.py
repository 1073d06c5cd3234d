"""How far lines go, as it travels between processes."""

from __future__ import annotations

import msgspec

from squall.core.output.line_query import LineState
from squall.core.output.lines import Line


def test_a_state_that_has_travelled_counts_on_where_it_stood() -> None:
    state = LineState(7, ((1, "", 6), (2, "host", 7)), [Line(6, 1, "", 5, 4200, b"so far")])
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=LineState)
    counter = again.counter()
    assert counter.take(1, "", b" and on\nnext") == (6, 7)
    assert counter.take(2, "host", b"\n") == (7, 8)
    assert (counter.lines, counter.open) == (8, {(1, ""): 8})
    assert again.begun == state.begun
