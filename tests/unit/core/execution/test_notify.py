"""The `notify` section."""

from __future__ import annotations

from typing import Any

import pytest

from squall.core.errors import InvalidError
from squall.core.execution.notify import checked_notify


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"on-complete": {"message": "m", "routes": ["hubot"]}},
        {"on-success": {"data": {"a": 1}, "channels": []}, "on-failure": {}},
    ],
)
def test_a_right_section_is_given_back_as_it_is(given: dict[str, Any]) -> None:
    assert checked_notify(given) == given


def test_null_is_nothing() -> None:
    assert checked_notify(None) == {}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("x", "'x' is not of type 'object' (notify)"),
        ({"on-start": {}}, "notify: 'on-start' is none of on-complete, on-success, on-failure"),
        ({"on-complete": []}, "[] is not of type 'object' (notify.on-complete)"),
        ({"on-complete": {"routes": "hubot"}}, "'hubot' is not a list of strings (notify.on-complete.routes)"),
        ({"on-complete": {"channels": [1]}}, "[1] is not a list of strings (notify.on-complete.channels)"),
        ({"on-failure": {"message": 1}}, "1 is not of type 'string' (notify.on-failure.message)"),
        ({"on-failure": {"data": []}}, "[] is not of type 'object' (notify.on-failure.data)"),
        ({"on-failure": {"x": 1}}, "('x' was unexpected) (notify.on-failure)"),
    ],
)
def test_a_wrong_section_is_told_by_its_name(given: Any, told: str) -> None:
    with pytest.raises(InvalidError) as caught:
        checked_notify(given)
    assert told in str(caught.value)
