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


def test_an_announcement_is_named_by_its_route_and_refers_to_its_execution() -> None:
    change = events.Announcement("room.one", {"a": 1}).change("b" * 24, "a" * 24, 5)
    assert change == events.Change(
        kind=events.ANNOUNCEMENT, name="st2.announcement__room.one", resource="b" * 24, tree="a" * 24, at=5
    )


@pytest.mark.parametrize(
    ("context", "trace"), [({}, b"null"), ({"user": "ada", "trace_context": {"id_": "t"}}, b'{"id_":"t"}')]
)
def test_listeners_get_the_payload_with_the_trace(context: dict[str, object], trace: bytes) -> None:
    document = events.Announcement("general", ["ü"]).document(context)
    assert document == b'{"payload":["%s"],"trace_context":%s}' % ("ü".encode(), trace)
