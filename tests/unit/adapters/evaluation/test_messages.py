"""Messages of processes that evaluate expressions."""

from __future__ import annotations

import pytest

from squall.adapters.evaluation.messages import Reply, from_json, to_json


def test_a_reply_arrives_as_it_was() -> None:
    reply = Reply("value", "", [1, {"a": None}])
    assert from_json(to_json(reply)) == reply


@pytest.mark.parametrize("data", [b"", b"5", b"[1]", b'{"a": 1}', b"\xff", b"[" * 100_000])
def test_what_is_no_reply_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_json(data)
