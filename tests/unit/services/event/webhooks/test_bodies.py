"""Bodies of webhooks, as StackStorm reads them."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.errors import InvalidError
from squall.services.event.webhooks.bodies import FORM, read_body


@pytest.mark.parametrize(
    ("kind", "raw", "body"),
    [
        ("application/json", b'{"a": 1}', {"a": 1}),
        ("", b'["a"]', ["a"]),
        ("application/vnd.x+json; charset=utf-8", b"{}", {}),
        ("application/json", b"", {}),
        ("application/json", b"  \n", {}),
        (FORM, b"level=high&text=a+b&level=low&none=", {"level": ["high", "low"], "text": ["a b"], "none": [""]}),
        (f"{FORM}; charset=utf-8", b"", {}),
    ],
)
def test_a_body_is_read_by_its_type(kind: str, raw: bytes, body: Any) -> None:
    assert read_body(kind, raw) == body


@pytest.mark.parametrize(
    ("kind", "raw", "message"),
    [
        ("application/json", b"{bad", "Failed to parse request body"),
        ("application/json", b"\xff", "Failed to parse request body"),
        ("application/json", b"[" * 100_000, "Failed to parse request body"),
        ("application/json", b"5", "5 is not of type 'object', 'array'"),
        ("text/plain", b"plain", "'plain' is not of type 'object', 'array'"),
        (FORM, b"a=1&" * 10_001, "more than 10000 fields"),
    ],
)
def test_a_body_that_is_no_event_is_refused(kind: str, raw: bytes, message: str) -> None:
    with pytest.raises(InvalidError, match=message):
        read_body(kind, raw)
