"""The event stream's names."""

from __future__ import annotations

import pytest

from squall.core.event import events


@pytest.mark.parametrize(
    ("name", "patterns", "asked"),
    [
        (events.EXECUTION_UPDATE, (events.EXECUTION_UPDATE,), True),
        (events.EXECUTION_UPDATE, ("st2.execution__*",), True),
        (events.EXECUTION_UPDATE, ("*",), True),
        (events.EXECUTION_UPDATE, (), False),
        (events.EXECUTION_UPDATE, ("st2.execution__create",), False),
        (events.OUTPUT_CREATE, ("st2.execution__*",), False),
        (events.OUTPUT_CREATE, ("st2.execution.output__create",), True),
        ("st2.announcement__x", events.DEFAULT_PATTERNS, True),
        (events.OUTPUT_CREATE, events.DEFAULT_PATTERNS, False),
        (events.EXECUTION_CREATE, events.DEFAULT_PATTERNS, True),
        (events.EXECUTION_CREATE, ("ST2.*",), False),
    ],
)
def test_an_event_is_asked_for_by_name_or_glob(name: str, patterns: tuple[str, ...], asked: bool) -> None:
    assert events.matches(name, patterns) is asked
